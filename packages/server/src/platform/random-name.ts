/** Names for what clients leave unnamed: `<adjective>-<noun>-<number>`. */
import type { Clock } from './context.ts';

const ADJECTIVES = (
  'able bold bright calm capable casual charming clean funny gentle gifted handsome likeable loud masked nimble ' +
  'nosy orderly painted peaceful placid polite popular powerful rare salty sedate serious silent sincere smiling ' +
  'spiffy stylish unique upbeat useful valuable wise worried zealous'
).split(' ');

const NOUNS = (
  'acorn anchor aspen badger beacon beaver birch bison brook cedar cliff cloud comet crane creek crow delta dune eagle elm ember falcon ' +
  'fern finch fjord forest fox garden gecko glade grove gull harbor hare hawk heron hill hornet ibis island jay lagoon lake lark leaf ' +
  'lemur lily lion lynx maple marten meadow mole moon moose moss moth newt oak ocean orca otter owl panda peak pearl perch pine plover ' +
  'pond prairie puffin quail rabbit raven reef ridge river robin sable seal shore shrew sky snail sparrow spruce squid star stone stork ' +
  'stream swan thrush tide tiger toad trout tulip valley vole wave whale willow wolf wren yak'
).split(' ');

const NUMBERS = 1000;

/** At most 20 characters: adjectives have up to 8, nouns up to 7. Names may repeat. */
export function randomName(clock: Clock): string {
  const bytes = clock.randomBytes(6);
  const adjective = ADJECTIVES[bytes.readUInt16BE(0) % ADJECTIVES.length] ?? '';
  const noun = NOUNS[bytes.readUInt16BE(2) % NOUNS.length] ?? '';
  return `${adjective}-${noun}-${bytes.readUInt16BE(4) % NUMBERS}`;
}
