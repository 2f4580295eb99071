// Loaded before an app: sends what it fetches from the addresses of its platform to servers of this machine, and
// prints each address. REROUTED is {"https://project.example/rest/v1": "http://127.0.0.1:3000", ...}.
import process from "node:process";

const rerouted = Object.entries(JSON.parse(process.env.REROUTED));
const { fetch } = globalThis;

globalThis.fetch = (address, options) => {
  const asked = String(address);
  console.log(`fetch ${asked}`);
  const route = rerouted.find(([from]) => asked.startsWith(from));
  return fetch(route ? asked.replace(...route) : asked, options);
};
