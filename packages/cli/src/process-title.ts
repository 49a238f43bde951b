/** How the process may be listed, where its command line holds a URL with a password; undefined where it holds none. */
export function withoutPasswords(argv: readonly string[]): string | undefined {
  const shown = argv.map((each) => each.replace(/(:\/\/[^/?#@:]*):.*@/, '$1:***@').replace(/([?&]password=)[^&#]*/gi, '$1***'));
  return shown.some((each, i) => each !== argv[i]) ? shown.join(' ') : undefined;
}
