/** The graph as it grows: bounded, each node once, and nothing in it that the caller may not see. */
import { LINEAGE_EDGES_MAX, LINEAGE_NODES_MAX, type LineageEdgeKind, type LineageKind } from '@countersign/contract/lineage.ts';

export interface LineageNode {
  readonly id: string;
  readonly kind: LineageKind;
  /** null where it is hidden. */
  readonly name: string | null;
  readonly isHidden: boolean;
  readonly facts: Readonly<Record<string, string>>;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

export interface LineageEdge {
  readonly from: string;
  readonly to: string;
  readonly kind: LineageEdgeKind;
  /** A client said so, and nothing shows it. */
  readonly isClaimed: boolean;
  readonly since: number | null;
  readonly until: number | null;
}

export interface LineageGraph {
  readonly roots: readonly string[];
  readonly nodes: readonly LineageNode[];
  readonly edges: readonly LineageEdge[];
  readonly isTruncated: boolean;
}

export class GraphDraft {
  readonly #nodes = new Map<string, LineageNode>();
  readonly #edges = new Map<string, LineageEdge>();
  /** By their own id, so that a hidden object is one node however often it is met. */
  readonly #hidden = new Map<string, string>();
  #isTruncated = false;

  /** Its id in the graph; undefined where there is no room. `isNew` tells whether it is to be followed. */
  add(node: Omit<LineageNode, 'isHidden'>): { readonly id: string; readonly isNew: boolean } | undefined {
    if (this.#nodes.has(node.id)) return { id: node.id, isNew: false };
    if (!this.#hasRoom()) return undefined;
    this.#nodes.set(node.id, { ...node, isHidden: false });
    return { id: node.id, isNew: true };
  }

  /** That there is something, and of which kind; nothing else of it. */
  addHidden(kind: LineageKind, ownId: string): string | undefined {
    const known = this.#hidden.get(ownId);
    if (known !== undefined) return known;
    if (!this.#hasRoom()) return undefined;
    const id = `hidden:${this.#hidden.size + 1}`;
    this.#hidden.set(ownId, id);
    this.#nodes.set(id, { id, kind, name: null, isHidden: true, facts: {}, startedAt: null, endedAt: null });
    return id;
  }

  link(edge: Pick<LineageEdge, 'from' | 'to' | 'kind' | 'isClaimed'> & { readonly since?: number; readonly until?: number | null }): void {
    const whole = { ...edge, since: edge.since ?? null, until: edge.until ?? null };
    const key = JSON.stringify([whole.from, whole.to, whole.kind, whole.since]);
    if (this.#edges.has(key)) return;
    if (this.#edges.size >= LINEAGE_EDGES_MAX) this.#isTruncated = true;
    else this.#edges.set(key, whole);
  }

  /** Something was left out for want of room. */
  truncate(): void {
    this.#isTruncated = true;
  }

  finish(roots: readonly string[]): LineageGraph {
    return { roots, nodes: [...this.#nodes.values()], edges: [...this.#edges.values()], isTruncated: this.#isTruncated };
  }

  #hasRoom(): boolean {
    if (this.#nodes.size < LINEAGE_NODES_MAX) return true;
    this.#isTruncated = true;
    return false;
  }
}
