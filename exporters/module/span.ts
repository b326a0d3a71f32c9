/** Spans as foreign exporters can take them. */
import type { HrTime } from "../../npm/opentelemetry/api.ts";
import type { ReadableSpan } from "../../npm/opentelemetry/sdk_trace.ts";

const NS_PER_S = 1_000_000_000;

/**
 * The span with all its times on whole microseconds: Zipkin's format has no less, and its
 * receivers refuse fractions. The start is rounded down and the duration to the nearest, so that
 * the duration stays right to the microsecond; the end and the events follow.
 */
export function toWholeMicroseconds(span: ReadableSpan): ReadableSpan {
  const start = floor(span.startTime);
  const duration = round(span.duration);
  const end = add(start, duration);
  return {
    ...span,
    startTime: start,
    endTime: end,
    duration,
    events: span.events.map((event) => ({ ...event, time: earlier(floor(event.time), end) })),
  };
}

function floor([seconds, ns]: HrTime): HrTime {
  return [seconds, ns - ns % 1000];
}

function round([seconds, ns]: HrTime): HrTime {
  return add([seconds, 0], [0, Math.round(ns / 1000) * 1000]);
}

function add([seconds, ns]: HrTime, [moreSeconds, moreNs]: HrTime): HrTime {
  const carry = ns + moreNs >= NS_PER_S ? 1 : 0;
  return [seconds + moreSeconds + carry, ns + moreNs - carry * NS_PER_S];
}

function earlier(a: HrTime, b: HrTime): HrTime {
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]) ? a : b;
}
