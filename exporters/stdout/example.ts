/** What the example of a config file shows of stdout. */
export const EXAMPLE = `\
  # Rows on standard output.
  stdout:
    format: table               # table | wide | csv | json
    time: false                 # like -T
    timestamp: false            # like -t
`;
