/** The ports that the kernel gives to clients. */
import { readProc } from "./procfs.ts";

/** A range of ports, both ends included. */
export class PortRange {
  constructor(readonly low: number, readonly high: number) {}

  /** net.ipv4.ip_local_port_range of this network namespace. */
  static ephemeral(): PortRange {
    const [low = 32768, high = 60999] = (readProc("sys/net/ipv4/ip_local_port_range") ?? "")
      .split(/\s+/).filter((text) => text !== "").map(Number);
    return new PortRange(low, high);
  }

  has(port: number): boolean {
    return port >= this.low && port <= this.high;
  }
}
