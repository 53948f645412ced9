// HEALTHCHECK of the image: asks whether the worker's loops make progress, or where there is no worker (`lighterman server start`)
// whether the embedded server answers. Exit status 0 for an answer of 200.
import { get } from "node:http";

const addresses = [
  `http://127.0.0.1:${process.env.PREFECT_WORKER_WEBSERVER_PORT || 8080}/livez`,
  `http://127.0.0.1:${process.env.PREFECT_SERVER_API_PORT || 4200}/api/health`,
];

for (const address of addresses) {
  const answer = await ask(address);
  if (answer.status === undefined) {
    process.stderr.write(`${address}: ${answer.error}\n`);
    continue;
  }
  process.stdout.write(`${address}: ${answer.status} ${answer.body}\n`);
  process.exit(answer.status === 200 ? 0 : 1);
}
process.exit(1);

function ask(address) {
  return new Promise((resolve) => {
    get(address, { timeout: 5000 }, async (response) => {
      const chunks = await response.toArray();
      resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() });
    })
      .on("timeout", function () {
        this.destroy(new Error("no answer within 5 s"));
      })
      .on("error", (error) => resolve({ error: error.message }));
  });
}
