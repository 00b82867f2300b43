# Counts the tests and subtests in the output of go test -json. A package that fails without a failed test (it did not
# compile, it timed out, it was killed) counts as one failure. Nothing that ran is a failure too.
{
	action = package = test = ""
	if (match($0, /"Action":"[a-z-]*"/)) action = substr($0, RSTART + 10, RLENGTH - 11)
	if (match($0, /"Package":"[^"]*"/)) package = substr($0, RSTART + 11, RLENGTH - 12)
	if (match($0, /"Test":"[^"]*"/)) test = substr($0, RSTART + 8, RLENGTH - 9)
}
test != "" && action == "pass" { passed++ }
test != "" && action == "skip" { skipped++ }
test != "" && action == "fail" { failed++; blamed[package] = 1 }
test == "" && action == "fail" && !(package in blamed) { failed++ }
END {
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed > 0 || passed == 0
}
