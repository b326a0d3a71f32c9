/** Names of attributes and metrics, the stable ones included. */
export * from "npm:@opentelemetry/semantic-conventions@1.45.0/incubating";
