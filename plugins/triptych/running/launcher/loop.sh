#!/bin/sh
# Runs the given command once per line of standard input, which names a nonce and a unit's folder; secrets come first.
# Needs nothing of the image but this shell: no sleep, cat or awk.
#
# While a script runs, a watcher reads our input: its end means that the worker is gone, and ends all that runs here.
# When the script has ended, so does what it left running. Then a line of the unit's nonce, on both outputs, says how:
# what comes before it is all that the unit wrote. The nonce is new for each unit: a script cannot guess it.
# A line without a folder is a call, answered at once by its nonce.

# Spares the caller and pid 1 only as a builtin, and outside a pid namespace it would end the machine.
end_all() {
  kill -9 -1
}

refuse() {
  echo "$1"
  exit 113
}

case $(type kill) in
  *builtin* | *built-in*) ;;
  *) refuse "The image's /bin/sh has no builtin 'kill', which ends what a script leaves running." ;;
esac
init=$$
if [ "$init" != 1 ] && [ "$PPID" = 1 ]; then
  read -r init </proc/1/comm
fi
case $init in
  1 | docker-init | podman-init | catatonit | tini) ;;
  *) refuse "Process 1 here is neither the init that was asked for nor this shell." ;;
esac

# Sets $value to the number in the first of these files that can be read, or to -1; $key picks a line.
read_number() {
  key=$1
  shift
  value=-1
  for file in "$@"; do
    [ -r "$file" ] || continue
    while read -r first second; do
      if [ -z "$key" ]; then value=$first; return; fi
      if [ "$first" = "$key" ]; then value=$second; return; fi
    done <"$file"
  done
}

# Sets $left to 1 where the kernel holds what no process does, System V's memory, queues and semaphores, or POSIX queues.
look_into_kernel() {
  for file in /proc/sysvipc/*; do
    [ -r "$file" ] || continue
    while read -r _; do
      # The first line names the columns.
      if read -r _; then left=1; fi
    done <"$file"
  done
  for file in /dev/mqueue/*; do
    if [ -e "$file" ]; then left=1; fi
  done
}

# Exports what comes up to the line $1, as `secret_lines` writes it: one word in quotes may be several lines.
read_secrets() {
  exports=
  while IFS= read -r line <&3 && [ "$line" != "$1" ]; do
    exports="$exports$line
"
  done
  eval "$exports"
  unset exports line
}

# Shells tell of killed children on their error output: ours is no script's.
exec 3<&0 4>&2 </dev/null 2>/dev/null
while read -r nonce folder <&3; do
  if [ "$nonce" = secrets ]; then
    read_secrets "$folder"
    continue
  fi
  if [ -z "$folder" ]; then
    echo "$nonce"
    echo "$nonce" >&4
    continue
  fi
  (
    while read -r _; do :; done <&3
    end_all
  ) >/dev/null 4>&- &
  # In the foreground: a shell's background jobs ignore SIGINT for good.
  (
    . "$folder/env.sh"
    cd "$folder/in" || exit 125
    exec "$@"
  ) 2>&4 3<&- 4>&-
  code=$?
  # Until nothing is left to kill. The dead count until init has taken them off; as process 1 that is our own work,
  # which some shells do only when they wait for a child. What cannot die (it waits for a disk) is told.
  left=1
  tries=0
  while [ "$tries" -lt 300000 ]; do
    if ! end_all; then left=0; break; fi
    wait
    [ $$ != 1 ] || (:)
    tries=$((tries + 1))
  done
  look_into_kernel
  read_number oom_kill /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control
  oom=$value
  read_number usage_usec /sys/fs/cgroup/cpu.stat
  cpu_us=$value
  read_number "" /sys/fs/cgroup/cpuacct/cpuacct.usage
  cpu_ns=$value
  read_number "" /sys/fs/cgroup/memory.peak /sys/fs/cgroup/memory/memory.max_usage_in_bytes
  echo
  echo "$nonce $code $oom $cpu_us $cpu_ns $value $left"
  echo >&4
  echo "$nonce" >&4
done
