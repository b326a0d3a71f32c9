/**
 * The command that runs the tests' programs: the system's Python, which setup.sh installs, without
 * what a user's environment adds. Many are started; what stands in front of it in PATH, such as
 * pyenv's script, takes longer than itself.
 */
export const PYTHON = ["/usr/bin/python3", "-I", "-S"] as const;
