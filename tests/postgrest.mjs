// Makes the calls of a real client. A line of stdin is {url, token, schema, call}, where `call` is a chain of
// methods as the app writes it, [["from", "fonts"], ["insert", {...}]]; a line of stdout is its answer.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { PostgrestClient } = createRequire(`${process.argv[2]}/`)("@supabase/postgrest-js");

for await (const line of createInterface({ input: process.stdin })) {
  const { url, token, schema, call } = JSON.parse(line);
  let request = new PostgrestClient(url, { headers: { Authorization: `Bearer ${token}` }, schema });
  for (const [method, ...args] of call) request = request[method](...args);
  const { status, data, error } = await request;
  console.log(JSON.stringify({ status, data, error: { ...error, message: error?.message } }));
}
