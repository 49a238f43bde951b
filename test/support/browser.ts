/** As much of a browser as signing in needs: it keeps cookies by host and path, follows redirects, and sends forms from a page. */

interface Cookie {
  readonly host: string;
  readonly path: string;
  readonly value: string;
  readonly attributes: string;
}

export interface Visit {
  readonly status: number;
  /** Where it ended. */
  readonly url: string;
  readonly text: string;
  readonly headers: Headers;
  /** Each place that it was sent to on the way. */
  readonly hops: readonly string[];
}

const HOPS_MAX = 20;

export class Browser {
  readonly #cookies = new Map<string, Cookie>();

  /** `until` ends the journey before it goes to such a place. */
  visit(url: string, until?: (next: string) => boolean): Promise<Visit> {
    return this.#go('GET', url, undefined, until);
  }

  /** As a page of the same site sends it; `origin` is another's. */
  submit(url: string, fields: Readonly<Record<string, string>>, origin = new URL(url).origin): Promise<Visit> {
    return this.#go('POST', url, { body: new URLSearchParams(fields).toString(), origin });
  }

  cookie(name: string): string | undefined {
    return [...this.#cookies.entries()].find(([key]) => key.endsWith(` ${name}`))?.[1].value;
  }

  attributesOf(name: string): string | undefined {
    return [...this.#cookies.entries()].find(([key]) => key.endsWith(` ${name}`))?.[1].attributes;
  }

  forget(name: string): void {
    for (const key of this.#cookies.keys()) if (key.endsWith(` ${name}`)) this.#cookies.delete(key);
  }

  async #go(
    method: string,
    url: string,
    form?: { readonly body: string; readonly origin: string },
    until?: (next: string) => boolean,
  ): Promise<Visit> {
    const hops: string[] = [];
    let [asked, at, sent] = [method, url, form];
    for (;;) {
      const response = await fetch(at, {
        method: asked,
        redirect: 'manual',
        headers: {
          accept: 'text/html,*/*',
          cookie: this.#cookiesFor(new URL(at)),
          ...(sent === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded', origin: sent.origin }),
        },
        ...(sent === undefined ? {} : { body: sent.body }),
      });
      this.#keep(new URL(at), response.headers.getSetCookie());
      const location = response.headers.get('location');
      const text = await response.text();
      const visit = { status: response.status, url: at, text, headers: response.headers, hops };
      if (location === null || response.status < 300 || response.status > 399) return visit;
      const next = new URL(location, at).href;
      hops.push(next);
      if (until?.(next) || hops.length > HOPS_MAX) return visit;
      [asked, at, sent] = ['GET', next, undefined];
    }
  }

  #cookiesFor({ hostname, pathname }: URL): string {
    return [...this.#cookies]
      .filter(
        ([, { host, path }]) => host === hostname && (pathname === path || pathname.startsWith(path.endsWith('/') ? path : `${path}/`)),
      )
      .map(([key, { value }]) => `${key.split(' ')[2]}=${value}`)
      .join('; ');
  }

  #keep({ hostname, pathname }: URL, lines: readonly string[]): void {
    for (const line of lines) {
      const [pair = '', ...attributes] = line.split(';').map((each) => each.trim());
      const [name = '', value = ''] = pair.split(/=(.*)/s);
      const path = attributes.find((each) => /^path=/i.test(each))?.slice(5) ?? (pathname.replace(/\/[^/]*$/, '') || '/');
      const key = `${hostname} ${path} ${name}`;
      const isOver = attributes.some((each) => /^max-age=0$/i.test(each) || /^expires=Thu, 01 Jan 1970/i.test(each));
      if (isOver) this.#cookies.delete(key);
      else this.#cookies.set(key, { host: hostname, path, value, attributes: attributes.join('; ') });
    }
  }
}
