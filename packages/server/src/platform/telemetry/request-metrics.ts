/** What requests cost, for Prometheus. Counting one is an array index and two additions; text is made when somebody asks. */

/** Upper bounds in seconds, of which a request has passed those not below its time. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60] as const;

interface Tally {
  readonly buckets: Float64Array;
  count: number;
  sumSeconds: number;
}

export interface RouteLabel {
  readonly method: string;
  readonly path: string;
}

/** What no route matched is one row, whatever was asked for. */
const UNMATCHED: RouteLabel = { method: 'other', path: 'unmatched' };

interface Sample {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

export class RequestMetrics {
  /** By route, then by the first digit of the status. */
  readonly #tallies = new Map<RouteLabel, (Tally | undefined)[]>();

  count(route: RouteLabel | undefined, status: number, elapsedMs: number): void {
    const label = route ?? UNMATCHED;
    let byClass = this.#tallies.get(label);
    if (byClass === undefined) {
      byClass = [];
      this.#tallies.set(label, byClass);
    }
    const statusClass = (status / 100) | 0;
    let tally = byClass[statusClass];
    if (tally === undefined) {
      tally = { buckets: new Float64Array(BOUNDS.length), count: 0, sumSeconds: 0 };
      byClass[statusClass] = tally;
    }
    const seconds = elapsedMs / 1000;
    tally.count++;
    tally.sumSeconds += seconds;
    for (let i = 0; i < BOUNDS.length; i++) {
      if (seconds <= (BOUNDS[i] ?? 0)) {
        tally.buckets[i] = (tally.buckets[i] ?? 0) + 1;
        break;
      }
    }
  }

  /** In prom-client's form of a metric. Several routes may have one label (a path under several prefixes has several). */
  histogram(name: string): Sample[] {
    const samples: Sample[] = [];
    for (const [route, byClass] of this.#tallies) {
      byClass.forEach((tally, statusClass) => {
        if (tally === undefined) return;
        const labels = { method: route.method, route: route.path, status: `${statusClass}xx` };
        let passed = 0;
        BOUNDS.forEach((bound, i) => {
          passed += tally.buckets[i] ?? 0;
          samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le: bound }, value: passed });
        });
        samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: tally.count });
        samples.push({ metricName: `${name}_sum`, labels, value: tally.sumSeconds });
        samples.push({ metricName: `${name}_count`, labels, value: tally.count });
      });
    }
    return samples;
  }

  totals(): Sample[] {
    const samples: Sample[] = [];
    for (const [route, byClass] of this.#tallies) {
      byClass.forEach((tally, statusClass) => {
        if (tally) samples.push({ labels: { method: route.method, route: route.path, status: `${statusClass}xx` }, value: tally.count });
      });
    }
    return samples;
  }
}
