import { describe, expect, it } from 'vitest';
import { withoutPasswords } from './process-title.ts';

describe('the title of the process', () => {
  it('shows no password of a URL, wherever it stands', () => {
    const argv = ['node', 'main.js', 'server', '--database-url', 'postgresql://me:pa/ss@word@db:5432/x?sslmode=require&password=two'];
    expect(withoutPasswords(argv)).toBe('node main.js server --database-url postgresql://me:***@db:5432/x?sslmode=require&password=***');
    expect(withoutPasswords(['node', '--backend-store-uri=postgresql+psycopg2://me:secret@db/x'])).not.toContain('secret');
  });

  it('stays what it is without one', () => {
    expect(withoutPasswords(['node', 'server', '--database-url', 'postgresql://me@db:5432/x', '--allowed-hosts', 'a:1'])).toBeUndefined();
  });
});
