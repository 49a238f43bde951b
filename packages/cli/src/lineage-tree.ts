/** A graph of lineage as people read it: what the root comes from, then what came of it. */
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { printable } from './verbs.ts';

export type Lineage = AnswerOf<EndpointOf<'getVersionLineage'>>;
type Edge = Lineage['edges'][number];
type Node = Lineage['nodes'][number];

const KINDS: Readonly<Record<Node['kind'], string>> = {
  dataset: 'data',
  code: 'code',
  run: 'run',
  'logged-model': 'logged model',
  version: 'version',
  stage: 'stage',
  alias: 'alias',
};

export function lineageTree(graph: Lineage): string[] {
  const nodeOf = new Map(graph.nodes.map((node) => [node.id, node]));
  const above = Map.groupBy(graph.edges, (edge) => edge.to);
  const below = Map.groupBy(graph.edges, (edge) => edge.from);
  const lines: string[] = [];
  for (const root of graph.roots) {
    lines.push(describe(nodeOf.get(root)));
    for (const [title, edges, end] of [
      ['comes from', above, 'from'],
      ['became', below, 'to'],
    ] as const) {
      const branches = branchesOf(root, { edges, end, nodeOf, shown: new Set([root]) }, '  ');
      if (branches.length > 0) lines.push(`  ${title}`, ...branches);
    }
  }
  if (graph.truncated) lines.push('There is more: --depth follows further, and --json has all that is known here.');
  return lines;
}

interface Side {
  readonly edges: ReadonlyMap<string, readonly Edge[]>;
  readonly end: 'from' | 'to';
  readonly nodeOf: ReadonlyMap<string, Node>;
  /** What has its branches shown once is only named from then on. */
  readonly shown: Set<string>;
}

function branchesOf(id: string, side: Side, indent: string): string[] {
  const edges = side.edges.get(id) ?? [];
  return edges.flatMap((edge, i) => {
    const isLast = i === edges.length - 1;
    const next = edge[side.end];
    const line = `${indent}${isLast ? '└─' : '├─'} ${describe(side.nodeOf.get(next))}${remarks(edge)}`;
    if (side.shown.has(next)) return [line];
    side.shown.add(next);
    return [line, ...branchesOf(next, side, `${indent}${isLast ? '  ' : '│ '} `)];
  });
}

function describe(node: Node | undefined): string {
  if (node === undefined) return '';
  if (node.hidden) return `${KINDS[node.kind]} (hidden)`;
  const { digest, run_id, model_id } = node.facts;
  const short = node.kind === 'version' && digest !== undefined ? `sealed ${digest.slice(0, 12)}` : (run_id ?? model_id ?? digest);
  return printable(`${KINDS[node.kind]} ${node.name ?? ''}${short === undefined || short === node.name ? '' : `  ${short}`}`);
}

function remarks({ claimed, kind, since_at, until_at }: Edge): string {
  const time = (at: number): string => new Date(at).toISOString();
  const stay = since_at === null ? '' : `  since ${time(since_at)}${until_at === null ? '' : ` until ${time(until_at)}`}`;
  return `${kind === 'copied' ? '  copied' : ''}${stay}${claimed ? '  claimed' : ''}`;
}
