/** Names of accounts and groups, and passwords. Pure. */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid } from '@countersign/contract/problem.ts';

const NAME_CHARACTERS_MAX = 250;
/** As MLflow's server has it. */
const PASSWORD_CHARACTERS_MIN = 12;
/** Longer ones make hashing a way to keep the server busy. */
const PASSWORD_CHARACTERS_MAX = 1024;

/** Basic authentication ends the name at the first colon (RFC 7617 §2). */
export function checkAccountName(name: string, what = 'user name'): void {
  if (
    name === '' ||
    name.length > NAME_CHARACTERS_MAX ||
    name !== name.trim() ||
    // Browsers and clients take these out of a path.
    name === '.' ||
    name === '..' ||
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}:]/u.test(name) ||
    !name.isWellFormed()
  ) {
    throw invalid(
      `Invalid ${what} '${clip(name.toWellFormed())}'. It must have 1 to ${NAME_CHARACTERS_MAX} characters, none of them ':' or invisible, and no space at its ends.`,
    );
  }
  if (/^__user_\d+__$/.test(name)) throw invalid(`Invalid ${what} '${name}'. Names of this form are kept for the server.`);
}

export function checkPassword(password: string): void {
  if ([...password].length < PASSWORD_CHARACTERS_MIN) throw invalid(`Password must be at least ${PASSWORD_CHARACTERS_MIN} characters.`);
  if (password.length > PASSWORD_CHARACTERS_MAX) throw invalid(`Password must be at most ${PASSWORD_CHARACTERS_MAX} characters.`);
}
