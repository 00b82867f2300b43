package dns

// One object serves every little-endian machine: nothing in it depends on the architecture.
//go:generate go tool -modfile=../tools/go.mod bpf2go -cc clang-16 -strip llvm-strip-16 -target bpfel -tags linux -type process -type dns_key -type dns_query -type dns_record -type dns_server_record -type record_kind -type role -type dns_size -type dns_counter kernel ../../bpf/dns.bpf.c -- -O2 -g -Wall -Werror -mcpu=v3 -I../../bpf/libbpf
