/** Which addresses are the public internet's, and what a name leads to. */
import { lookup as resolve } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { invalid, type Problem } from '@countersign/contract/problem.ts';

/** IANA's special-purpose registries, as Python's `is_global` reads them. */
const SPECIAL_4 =
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4';
/** Everything but 2000::/3, and parts of that. NAT64, 6to4 and mapped addresses are judged by the IPv4 address inside. */
const SPECIAL_6 = '2001::/23 2001:db8::/32 3fff::/20';

function blockList(ranges: string, family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  for (const range of ranges.split(' ')) {
    const [net = '', bits] = range.split('/');
    list.addSubnet(net, Number(bits), family);
  }
  return list;
}

const special4 = blockList(SPECIAL_4, 'ipv4');
const special6 = blockList(SPECIAL_6, 'ipv6');
const global6 = blockList('2000::/3', 'ipv6');

export function isPublicAddress(address: string): boolean {
  const plain = address.replace(/%.*$/, '');
  if (isIP(plain) === 4) return !special4.check(plain, 'ipv4');
  if (isIP(plain) !== 6) return false;
  const words = wordsOf(plain);
  const inner = embedded(words);
  if (inner !== undefined) return isPublicAddress(inner);
  return global6.check(plain, 'ipv6') && !special6.check(plain, 'ipv6');
}

/** Eight 16-bit words. `URL` writes an address in hexadecimal, whatever it was given. */
function wordsOf(address: string): number[] {
  const hex = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [left = '', right] = hex.split('::');
  const read = (text: string | undefined): number[] => (text ? text.split(':').map((word) => Number.parseInt(word, 16)) : []);
  const [head, tail] = [read(left), read(right)];
  return right === undefined ? head : [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

function embedded(words: readonly number[]): string | undefined {
  const ipv4 = (at: number): string => [words[at] ?? 0, words[at + 1] ?? 0].flatMap((word) => [word >> 8, word & 255]).join('.');
  const isZero = (from: number, to: number): boolean => words.slice(from, to).every((word) => word === 0);
  if (isZero(0, 5) && words[5] === 0xffff) return ipv4(6);
  if (words[0] === 0x64 && words[1] === 0xff9b && isZero(2, 6)) return ipv4(6);
  if (words[0] === 0x2002) return ipv4(1);
  return undefined;
}

const RESOLVE_TIMEOUT_MS = 5000;

/** Throws INVALID_PARAMETER_VALUE unless every address of the name is public. */
export async function checkPublicHost(hostname: string): Promise<void> {
  const host = hostname.replace(/^\[|\]$/g, '');
  const late = new AbortController();
  try {
    const addresses = await Promise.race([
      lookup(host, { all: true }),
      setTimeout(RESOLVE_TIMEOUT_MS, undefined, { signal: late.signal, ref: false }),
    ]);
    if (addresses === undefined) throw new Error(`no answer within ${RESOLVE_TIMEOUT_MS / 1000} s`);
    const wrong = addresses.find(({ address }) => !isPublicAddress(address));
    if (wrong) throw notPublic(host, wrong.address);
  } catch (error) {
    if ((error as Partial<Problem>).code === 'INVALID_PARAMETER_VALUE') throw error;
    throw invalid(`Cannot resolve webhook URL hostname '${host}': ${(error as Error).message}`);
  } finally {
    late.abort();
  }
}

export function notPublic(host: string, address: string): Problem {
  return invalid(`Webhook URL must not resolve to a non-public IP address. '${host}' resolves to ${address}.`);
}

/** For a connection: it goes only to addresses that were judged, so that a name can't lead elsewhere between check and use. */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, '');
    const wrong = addresses.find(({ address }) => !isPublicAddress(address));
    if (wrong) return callback(notPublic(hostname, wrong.address) as unknown as NodeJS.ErrnoException, ''); // read back by the sender
    if (options.all) return callback(null, addresses);
    const [first] = addresses;
    callback(null, first?.address ?? '', first?.family);
  });
};
