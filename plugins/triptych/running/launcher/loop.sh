#!/bin/sh
# Runs the command given behind the nonce once per line of standard input; a line names a unit's folder.
# Needs nothing of the image but this shell: no sleep, cat or awk.
nonce=$1
shift

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

while read -r folder; do
  (
    . "$folder/env.sh"
    cd "$folder/in" || exit 125
    exec "$@"
  ) </dev/null
  code=$?
  read_number oom_kill /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control
  oom=$value
  read_number usage_usec /sys/fs/cgroup/cpu.stat
  cpu_us=$value
  read_number "" /sys/fs/cgroup/cpuacct/cpuacct.usage
  cpu_ns=$value
  read_number "" /sys/fs/cgroup/memory.peak /sys/fs/cgroup/memory/memory.max_usage_in_bytes
  echo
  echo "$nonce $code $oom $cpu_us $cpu_ns $value"
done
