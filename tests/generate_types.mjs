// Prints what `supabase gen types typescript` makes of a database, by the package that the Supabase CLI's service uses:
// node generate_types.mjs FOLDER_OF_PACKAGES '{"host": …, "database": …}'
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.argv[2]}/`);
const pg = require("pg");
const typegen = await import(pathToFileURL(require.resolve("@supabase/postgrest-typegen")));

const client = new pg.Client(JSON.parse(process.argv[3]));
await client.connect();
const metadata = await typegen.introspect(client, { includedSchemas: ["public"] });
const sorted = typegen.sortGeneratorMetadata(metadata);
process.stdout.write(await typegen.generateTypescript(sorted, { postgrestVersion: "12" }));
await client.end();
