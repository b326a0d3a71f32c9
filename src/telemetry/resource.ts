/** The resource of tcpspan's own metrics. */
import type { Attributes } from "../../npm/opentelemetry/api.ts";
import { type Resource, resourceFromAttributes } from "../../npm/opentelemetry/resources.ts";
import {
  ATTR_HOST_ID,
  ATTR_HOST_NAME,
  ATTR_SERVICE_INSTANCE_ID,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_VERSION,
} from "../../npm/opentelemetry/semantic_conventions.ts";
import { hostAttributes } from "../span/resource.ts";
import { VERSION } from "../version.ts";

/**
 * tcpspan on this host. It has the user's attributes, as every span has, except the service's name,
 * which is for the observed processes. One instance per host: a restart starts no new series.
 */
export function ownResource(attributes: Attributes): Resource {
  const host = hostAttributes();
  return resourceFromAttributes({
    [ATTR_SERVICE_INSTANCE_ID]: host[ATTR_HOST_ID] ?? host[ATTR_HOST_NAME],
    ...host,
    ...attributes,
    [ATTR_SERVICE_NAME]: "tcpspan",
    [ATTR_SERVICE_VERSION]: VERSION,
  });
}
