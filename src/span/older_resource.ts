/** Resources that exporters of OpenTelemetry JS 1.x can work with. */
import { type Resource, resourceFromAttributes } from "../../npm/opentelemetry/resources.ts";

/** A resource of 1.x, as far as it is read. */
type OlderResource = Pick<Resource, "attributes">;

/** `resource`, but `merge` also takes a Resource of 1.x, which has no `getRawAttributes`. */
export function mergingWithOlder(resource: Resource): Resource {
  const merge = resource.merge.bind(resource);
  resource.merge = (other: Resource | OlderResource | null) => {
    const isOlder = other !== null && !("getRawAttributes" in other);
    return mergingWithOlder(merge(isOlder ? resourceFromAttributes(other.attributes) : other));
  };
  return resource;
}
