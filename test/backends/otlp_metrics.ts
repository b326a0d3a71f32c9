/** Reads OTLP JSON lines with metrics, as the Collector's file exporter writes them. */

/** One value of a metric. */
export interface MetricPoint {
  readonly name: string;
  readonly unit: string;
  readonly kind: "counter" | "up-down counter" | "gauge";
  readonly value: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
}

/** One MetricsData: what a line holds. */
interface MetricsData {
  resourceMetrics?: {
    resource: { attributes: KeyValue[] };
    scopeMetrics: { metrics: Metric[] }[];
  }[];
}

interface Metric {
  name: string;
  unit: string;
  sum?: { dataPoints: DataPoint[]; isMonotonic?: boolean; aggregationTemporality: number };
  gauge?: { dataPoints: DataPoint[] };
}

interface DataPoint {
  attributes?: KeyValue[];
  asInt?: string | number;
  asDouble?: number;
}

interface KeyValue {
  key: string;
  value: { stringValue?: string };
}

const CUMULATIVE = 2; // opentelemetry.proto.metrics.v1.AggregationTemporality

/** The points in the last whole line of a file's text; none if there is no line yet. */
export function lastMetricPoints(text: string): MetricPoint[] {
  const line = text.split("\n").at(-2);
  return line === undefined ? [] : metricPoints(line);
}

/** The points of an ExportMetricsServiceRequest in JSON, which has the members of a MetricsData. */
export function metricPoints(json: string): MetricPoint[] {
  const data: MetricsData = JSON.parse(json);
  return (data.resourceMetrics ?? []).flatMap(({ resource, scopeMetrics }) =>
    scopeMetrics.flatMap(({ metrics }) => metrics).flatMap((metric) =>
      (metric.sum ?? metric.gauge)?.dataPoints.map((point) => ({
        name: metric.name,
        unit: metric.unit,
        kind: kindOf(metric),
        value: Number(point.asInt ?? point.asDouble),
        attributes: toObject(point.attributes ?? []),
        resource: toObject(resource.attributes),
      })) ?? []
    )
  );
}

function kindOf({ name, sum }: Metric): MetricPoint["kind"] {
  if (sum === undefined) return "gauge";
  if (sum.aggregationTemporality !== CUMULATIVE) throw new Error(`${name} is not cumulative`);
  return sum.isMonotonic === true ? "counter" : "up-down counter";
}

function toObject(attributes: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));
}
