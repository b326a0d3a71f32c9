/** gRPC: loaded where an endpoint is one of gRPC. */
export * from "npm:@grpc/grpc-js@1.14.7";
