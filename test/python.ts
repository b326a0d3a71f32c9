/**
 * The command that runs the tests' programs: the system's Python, which setup.sh installs, without
 * what a user's environment adds. Many are started; what comes before it in PATH, such as
 * pyenv's script, takes longer than Python itself.
 */
export const PYTHON = ["/usr/bin/python3", "-I", "-S"] as const;
