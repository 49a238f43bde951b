/** What a requirements.txt asks for. Pure. */

/**
 * The packages of a requirements.txt by their normalised name (PEP 503), with what is asked of them. Options, comments and blank lines
 * are left out; a line that has no name (a URL, a path) stands under itself.
 */
export function readRequirements(text: string): Map<string, string> {
  const requirements = new Map<string, string>();
  for (const raw of text.replace(/\\\r?\n/g, ' ').split(/\r?\n/)) {
    const line = raw.replace(/(^|\s)#.*$/, '').trim();
    if (line === '' || /^-(?!e\b|-editable\b)/.test(line)) continue;
    const parts = /^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[[^\]]*\])?\s*((?:[<>=!~;@(].*)?)$/.exec(line);
    if (parts) requirements.set(normalised(parts[1] ?? ''), `${parts[2] ?? ''}${tidied(parts[3] ?? '')}` || '*');
    else requirements.set(line, line);
  }
  return requirements;
}

function normalised(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

/** `== 1.0` asks for what `==1.0` asks for; a marker's words stay apart. */
function tidied(asked: string): string {
  if (asked.startsWith('@')) return asked.trim();
  const [versions = '', ...markers] = asked.split(';');
  return [versions.replace(/\s+/g, ''), ...markers.map((marker) => marker.trim())].join('; ');
}
