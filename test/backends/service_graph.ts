/** Reads the metrics of the Collector's connector `servicegraph` from its file exporter. */

/** An edge of the service graph. */
export interface ServiceEdge {
  readonly client: string;
  readonly server: string;
  /** traces_service_graph_request_total */
  readonly requests: number;
  /** traces_service_graph_request_failed_total */
  readonly failed: number;
}

/** One MetricsData: what a line holds. The connector writes all its series every time. */
interface MetricsData {
  resourceMetrics: {
    scopeMetrics: { metrics: { name: string; sum?: { dataPoints: DataPoint[] } }[] }[];
  }[];
}

interface DataPoint {
  attributes: { key: string; value: { stringValue?: string } }[];
  asInt: string;
}

/** The edges in the last whole line of a file's text. */
export function parseServiceGraph(text: string): ServiceEdge[] {
  const line = text.split("\n").at(-2);
  if (line === undefined) return [];
  const edges = new Map<string, { client: string; server: string } & Record<Count, number>>();
  for (const { count, point } of points(JSON.parse(line))) {
    const label = (name: string) =>
      point.attributes.find(({ key }) => key === name)?.value.stringValue ?? "";
    const [client, server] = [label("client"), label("server")];
    const name = `${client} -> ${server}`;
    const edge = edges.get(name) ?? { client, server, requests: 0, failed: 0 };
    edge[count] += Number(point.asInt); // one series of failed requests, one of the others
    edges.set(name, edge);
  }
  return [...edges.values()];
}

type Count = "requests" | "failed";

const COUNTS: Readonly<Record<string, Count>> = {
  traces_service_graph_request_total: "requests",
  traces_service_graph_request_failed_total: "failed",
};

function* points(data: MetricsData): Generator<{ count: Count; point: DataPoint }> {
  for (const { scopeMetrics } of data.resourceMetrics) {
    for (const { name, sum } of scopeMetrics.flatMap(({ metrics }) => metrics)) {
      const count = COUNTS[name];
      if (count === undefined) continue;
      for (const point of sum?.dataPoints ?? []) yield { count, point };
    }
  }
}
