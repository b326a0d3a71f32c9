/** What tcpspan's last lines say was lost, place by place: `lost N sessions: PLACE`. */
export function lossesOf(stderr: string): [place: string, sessions: number][] {
  return [...stderr.matchAll(/^tcpspan: lost (\d+) sessions?: (.*)$/gm)]
    .map(([, count, place = ""]) => [place, Number(count)]);
}
