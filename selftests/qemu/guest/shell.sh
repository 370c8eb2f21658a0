# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# A shell for a person, with the module loaded and everything on the PATH.

load_module
export PATH=$PATH:/tests
cd /tests || cd /
cat <<'EOF'

bufpool is loaded (dmesg shows its debug messages), the tests are here, the
tools are on the PATH. "exit" ends the VM; so does Ctrl-A x, at once.

EOF
setsid cttyhack sh
