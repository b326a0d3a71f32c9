/** What the program uses of commander. */
export { Command, CommanderError } from "commander";
