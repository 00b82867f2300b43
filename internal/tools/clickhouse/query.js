// The ClickHouse of the tests: runs the SQL of its standard input, and prints what the statements return as JSON lines.
//
// The argument is the folder of the database; without it there is none before and none after. The environment's TZ is the
// time zone of the server. An error ends it with status 1.
"use strict";
const { readFileSync } = require("node:fs");
const { Session } = require("chdb");

const session = new Session(process.argv[2]);
try {
  process.stdout.write(session.query(readFileSync(0, "utf8"), "JSONEachRow"));
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
} finally {
  session.close();
}
