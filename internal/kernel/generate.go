package kernel

// One object serves every little-endian machine: nothing in it depends on the architecture.
//go:generate go tool -modfile=../tools/go.mod bpf2go -cc clang-16 -strip llvm-strip-16 -target bpfel -tags linux -type process -type connection_record -type listener_record -type cgroup_record -type losses -type counter -type record_kind -type role -type phase -type count64 -type count32 -type unknown_error sock ../../bpf/sock.bpf.c -- -O2 -g -Wall -Werror -mcpu=v3 -I../../bpf/libbpf
