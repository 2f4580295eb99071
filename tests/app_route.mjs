// Serves a compiled Next.js route as Next.js does: `node app_route.mjs PORT route.js`.
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const [port, file] = process.argv.slice(2);
const route = await import(pathToFileURL(file));

createServer(async (incoming, outgoing) => {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const { method, headers, url } = incoming;
  const body = chunks.length ? Buffer.concat(chunks) : undefined;
  const answer = await route[method](new Request(`http://127.0.0.1${url}`, { method, headers, body }));
  outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
  outgoing.end(await answer.text());
}).listen(Number(port), "127.0.0.1");
