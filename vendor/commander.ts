/** What the program uses of commander. */
export { Command, CommanderError } from "npm:commander@15.1.0";
