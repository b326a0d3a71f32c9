/** docs/performance.md, where the bench writes the part between two markers. */
const BEGIN = "<!-- bench: begin -->";
const END = "<!-- bench: end -->";

/** Puts `text` between the markers, and keeps the rest. @throws if they are missing */
export function replaceMarked(document: string, text: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin === -1 || end < begin) {
    throw new Error(`cannot write the figures: found no ${BEGIN} with ${END} behind it`);
  }
  return `${document.slice(0, begin + BEGIN.length)}\n\n${text.trim()}\n\n${document.slice(end)}`;
}
