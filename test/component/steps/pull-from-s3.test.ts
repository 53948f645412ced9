import { readFileSync, writeFileSync } from "node:fs";
import { symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "vitest";
import { hasOpenssl, makeCertificates } from "../../support/certificates.ts";
import { startFakeProxy } from "../../support/fake-proxy.ts";
import { FakeS3, sendError } from "../../support/fake-s3.ts";
import { openS3Stage } from "../../support/s3-step.ts";
import type { AddressInfo } from "node:net";
import type { JsonObject } from "../../../src/json/value.ts";
import type { FakeObject } from "../../support/fake-s3.ts";

const KEYS = { aws_access_key_id: "AKIDTEST", aws_secret_access_key: "canary-secret" };
// Few attempts where the failure lasts, so that a test need not wait for all of them.
const HASTY = { retries: { total_max_attempts: 2 } };

function inputsFor(
  server: { readonly url: string },
  parameters: JsonObject = {},
  credentials: JsonObject = KEYS,
): JsonObject {
  return {
    bucket: "bucket",
    folder: "app",
    credentials: { ...credentials, aws_client_parameters: { endpoint_url: server.url, ...parameters } },
  };
}

function numbered(count: number): FakeObject[] {
  return Array.from({ length: count }, (_, i) => ({ key: `app/d${i % 3}/f${i}`, content: `content ${i}` }));
}

describe("listing", () => {
  it.for([false, true])("goes on from page to page (plain keys: %s)", async (isPlain, { expect }) => {
    const odd = ["app/sp ace+plus%20.txt", "app/é漢😀", "app/<&>"].map((key) => ({ key, content: key }));
    const objects = [{ key: "app/", content: "" }, ...numbered(20), { key: "app/sub/", content: "" }, ...odd];
    await using server = await FakeS3.start({ objects, pageSize: 4, isPlain });
    using stage = openS3Stage();
    await stage.pull(inputsFor(server));
    expect(stage.files()).toHaveLength(23);
    for (const { key } of odd) expect(await stage.read(key.slice(4))).toBe(key);
    const pages = server.requests.filter(({ path }) => path === "/bucket");
    expect(pages.map(({ query }) => query.get("continuation-token"))).toEqual([
      null,
      ...["4", "8", "12", "16", "20", "24"].map((start) => `page ${start}`),
    ]);
    expect(pages[0]?.query.get("prefix")).toBe("app/");
    expect(new Set(server.keys).size).toBe(server.keys.length);
  });

  it.for([
    ["a web page", "<html><body>Console</body></html>", /not S3's/],
    [
      "a listing that is cut off without a token",
      "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
      /does not know ListObjectsV2/,
    ],
    [
      "a listing that never ends",
      "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken></ListBucketResult>",
      /never ends/,
    ],
    [
      "an object without a size",
      "<ListBucketResult><Contents><Key>app/x</Key></Contents></ListBucketResult>",
      /without key or size/,
    ],
  ] as const)("refuses %s", async ([, body, text], { expect }) => {
    await using server = await FakeS3.start({ fault: (_, response) => Boolean(response.end(body)) });
    using stage = openS3Stage();
    await expect(stage.pull(inputsFor(server))).rejects.toThrow(text);
    expect(stage.files()).toEqual([]);
  });

  it("fails when nothing lies under the prefix, naming bucket, prefix and endpoint", async ({ expect }) => {
    await using server = await FakeS3.start({
      objects: [
        { key: "app-2/x", content: "" },
        { key: "app/", content: "" },
      ],
    });
    using stage = openS3Stage();
    await expect(stage.pull(inputsFor(server))).rejects.toMatchObject({
      message: `There is nothing to pull (bucket 'bucket', prefix 'app/', endpoint ${server.url})`,
      hint: expect.stringContaining("No object's key starts with 'app/'"),
    });
  });
});

describe("keys", () => {
  it.for(["app/../../evil.txt", "app/../evil.txt", "app/\\..\\evil.txt", "app/a/../../../evil.txt"])(
    "writes nothing of a page that holds %s",
    async (key, { expect }) => {
      await using server = await FakeS3.start({
        objects: [...numbered(5), { key, content: "evil" }],
        isPlain: true,
      });
      using stage = openS3Stage();
      await expect(stage.pull(inputsFor(server))).rejects.toThrow(
        `The object key '${key}' would leave the target directory`,
      );
      expect(stage.files()).toEqual([]);
      expect(server.keys).toEqual([]);
    },
  );

  it("refuses a key that is not below the prefix asked for", async ({ expect }) => {
    await using server = await FakeS3.start({
      fault: (_, response) =>
        Boolean(
          response.end(
            "<ListBucketResult><Contents><Key>etc/passwd</Key><Size>1</Size></Contents></ListBucketResult>",
          ),
        ),
    });
    using stage = openS3Stage();
    await expect(stage.pull(inputsFor(server))).rejects.toThrow(/'etc\/passwd' would leave/);
  });

  it("does not write through a symbolic link that an earlier step left", async ({ expect }) => {
    await using server = await FakeS3.start({ objects: [{ key: "app/out/evil.txt", content: "evil" }] });
    using stage = openS3Stage();
    await symlink("..", join(stage.directory, "out"));
    await expect(stage.pull(inputsFor(server))).rejects.toThrow(/'out' is a symbolic link that leads out/);
    expect(stage.files()).toEqual(["out"]);
  });

  it("lets the last of two keys for one file win, as prefect-aws does", async ({ expect }) => {
    const objects = ["app/a//b", "app/a/b", "app/a\\b"].map((key) => ({ key, content: key }));
    await using server = await FakeS3.start({ objects });
    using stage = openS3Stage();
    await stage.pull(inputsFor(server));
    expect(stage.files()).toEqual(["a/b"]);
    expect(await stage.read("a/b")).toBe("app/a\\b");
  });
});

describe("faults", () => {
  it("tries again what is refused for a moment, breaks off, or sends less than it announced", async ({
    expect,
  }) => {
    const seen = new Map<string, number>();
    await using server = await FakeS3.start({
      objects: numbered(30),
      fault: ({ path }, response) => {
        const count = (seen.get(path) ?? 0) + 1;
        seen.set(path, count);
        if (count > 1) return false;
        switch (seen.size % 5) {
          case 0:
            return sendError(response, 503, "SlowDown", "please");
          case 1:
            return sendError(response, 500, "InternalError", "oops");
          case 2:
            response.socket?.destroy();
            return true;
          case 3:
            response.writeHead(200, { "content-length": 100 }).write("cut", () => response.socket?.destroy());
            return true;
          default:
            return false;
        }
      },
    });
    using stage = openS3Stage();
    await stage.pull(inputsFor(server));
    expect(stage.files()).toHaveLength(30);
    for (let i = 0; i < 30; i += 1) expect(await stage.read(`d${i % 3}/f${i}`)).toBe(`content ${i}`);
  });

  it("gives up on what goes on failing, and says what", async ({ expect }) => {
    await using server = await FakeS3.start({
      fault: (_, response) => sendError(response, 503, "SlowDown", "no"),
    });
    using stage = openS3Stage();
    await expect(stage.pull(inputsFor(server, { config: HASTY }))).rejects.toThrow(
      /goes on refusing requests: 503 SlowDown/,
    );
    expect(server.requests).toHaveLength(2);
  });

  it("does not repeat what is refused for good", async ({ expect }) => {
    await using server = await FakeS3.start({
      objects: numbered(1),
      fault: ({ path }, response) => path !== "/bucket" && sendError(response, 403, "AccessDenied", "no"),
    });
    using stage = openS3Stage();
    await expect(stage.pull(inputsFor(server))).rejects.toMatchObject({
      message: expect.stringContaining("Access to the object 'app/d0/f0' is denied"),
      hint: expect.stringContaining("s3:GetObject"),
    });
    expect(server.keys).toHaveLength(1);
    expect(stage.files()).toEqual([]);
  });

  it.for([100, 600 * 1024, 40 * 1024 * 1024])(
    "leaves nothing of an object of %i bytes that cannot be had whole",
    async (size, { expect }) => {
      await using server = await FakeS3.start({
        objects: [{ key: "app/x", content: Buffer.alloc(size, "x") }],
        fault: ({ path, headers }, response) => {
          // Of a large object only the second part fails.
          if (path === "/bucket" || headers.range?.startsWith("bytes=0-") === true) return false;
          response.writeHead(200, { "content-length": size }).write("part", () => response.socket?.destroy());
          return true;
        },
      });
      using stage = openS3Stage();
      await expect(stage.pull(inputsFor(server, { config: HASTY }))).rejects.toMatchObject({
        name: "StepError",
      });
      expect(stage.files()).toEqual([]);
    },
  );

  it("mends a part that broke off", async ({ expect }) => {
    const content = Buffer.alloc(40 * 1024 * 1024);
    for (let i = 0; i < content.length; i += 4096) content.writeUInt32LE(i, i);
    let broken = 0;
    await using server = await FakeS3.start({
      objects: [{ key: "app/x", content }],
      fault: ({ headers }, response) => {
        const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [];
        if (start === undefined || start === "0" || broken > 1) return false;
        broken += 1;
        response
          .writeHead(206, { "content-length": Number(end) - Number(start) + 1 })
          .write(Buffer.alloc(300_000, "?"), () => response.socket?.destroy());
        return true;
      },
    });
    using stage = openS3Stage();
    await stage.pull(inputsFor(server));
    expect(readFileSync(join(stage.directory, "x")).equals(content)).toBe(true);
    expect(broken).toBe(2);
    expect(server.requests.filter(({ headers }) => headers["if-match"] !== undefined)).toHaveLength(5);
  });

  it("does not mix two versions of a large object", async ({ expect }) => {
    await using server = await FakeS3.start({
      objects: [{ key: "app/x", content: Buffer.alloc(20 * 1024 * 1024) }],
      fault: ({ headers }, response) =>
        headers.range !== undefined &&
        !headers.range.startsWith("bytes=0-") &&
        sendError(response, 412, "PreconditionFailed", "x"),
    });
    using stage = openS3Stage();
    await expect(stage.pull(inputsFor(server))).rejects.toThrow(/'app\/x' changed while it was pulled/);
    expect(stage.files()).toEqual([]);
  });

  it("breaks off when it is aborted, and leaves no partial file", async ({ expect }) => {
    await using server = await FakeS3.start({
      objects: [...numbered(3), { key: "app/big", content: Buffer.alloc(40 * 1024 * 1024) }],
      fault: ({ path }, response) => {
        if (!path.endsWith("/big")) return false;
        // The first bytes come, the rest never does.
        response.writeHead(206, { "content-length": 16 * 1024 * 1024 }).write(Buffer.alloc(100_000), () => {
          stage.abort.abort(new Error("cancelled by the test"));
        });
        return true;
      },
    });
    using stage = openS3Stage();
    await expect(stage.pull(inputsFor(server))).rejects.toThrow("cancelled by the test");
    expect(stage.files().filter((path) => path.includes("part") || path === "big")).toEqual([]);
  });

  it("waits no longer for an answer than it is told to", async ({ expect }) => {
    await using server = await FakeS3.start({ fault: () => true });
    using stage = openS3Stage();
    const config = { read_timeout: 0.5, retries: { total_max_attempts: 1 } };
    await expect(stage.pull(inputsFor(server, { config }))).rejects.toThrow(
      /does not answer \(UND_ERR_HEADERS_TIMEOUT\)/,
    );
  });
});

describe("errors in words", () => {
  it.for([
    [403, "InvalidAccessKeyId", /access key is unknown/],
    [403, "SignatureDoesNotMatch", /secret key does not belong/],
    [400, "ExpiredToken", /session token has expired/],
    [400, "InvalidToken", /session token is not valid/],
    [404, "NoSuchBucket", /no bucket 'bucket'/],
    [403, "RequestTimeTooSkewed", /time wrong/],
    [418, "Teapot", /S3 refused the bucket 'bucket': 418 Teapot the message/],
  ] as const)("%i %s", async ([status, code, text], { expect }) => {
    await using server = await FakeS3.start({
      fault: (_, response) => sendError(response, status, code, "the message"),
    });
    using stage = openS3Stage();
    const pulling = stage.pull(inputsFor(server));
    await expect(pulling).rejects.toThrow(text);
    await expect(pulling).rejects.toThrow(`prefix 'app/', endpoint ${server.url}`);
    await expect(pulling).rejects.toMatchObject({ hint: expect.stringMatching(/\.$/) });
  });

  it("quotes what is no answer of S3", async ({ expect }) => {
    await using server = await FakeS3.start({
      fault: (_, response) => Boolean(response.writeHead(404).end("<h1>Nothing\n here</h1>")),
    });
    using stage = openS3Stage();
    await expect(stage.pull(inputsFor(server))).rejects.toMatchObject({
      message: expect.stringContaining("404 <h1>Nothing here</h1>"),
      hint: expect.stringContaining("check endpoint_url"),
    });
  });

  it("names an endpoint where nobody listens", async ({ expect }) => {
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    using stage = openS3Stage();
    const url = `http://127.0.0.1:${port}`;
    await expect(stage.pull(inputsFor({ url }, { config: HASTY }))).rejects.toMatchObject({
      message: expect.stringContaining(`The connection to ${url} was refused`),
      hint: expect.stringContaining("endpoint_url"),
    });
  });

  it.for([
    [{ folder: "app" }, /lacks its input 'bucket'/],
    [{ bucket: "bucket" }, /lacks its input 'folder'/],
    [{ bucket: "bucket", folder: "app", bukkit: "x" }, /takes no input 'bukkit'/],
    [{ bucket: "bucket", folder: "app", credentials: { profile_name: "nope" } }, /no AWS profile 'nope'/],
    [{ bucket: "bucket", folder: "app" }, /No AWS credentials were found/],
  ] as const)("%j", async ([inputs, text], { expect }) => {
    using stage = openS3Stage();
    await expect(stage.pull(inputs)).rejects.toMatchObject({
      name: "StepError",
      message: expect.stringMatching(text),
    });
  });
});

describe("regions", () => {
  it.for([
    [301, "PermanentRedirect", true],
    [400, "AuthorizationHeaderMalformed", false],
    [307, "TemporaryRedirect", true],
  ] as const)("signs for the region that %i %s names", async ([status, code, isHeader], { expect }) => {
    await using server = await FakeS3.start({
      objects: numbered(3),
      fault: ({ headers }, response) => {
        if (headers.authorization?.includes("/eu-north-1/s3/") === true) return false;
        if (isHeader)
          return sendError(response, status, code, "elsewhere", { "x-amz-bucket-region": "eu-north-1" });
        response.writeHead(status).end(`<Error><Code>${code}</Code><Region>eu-north-1</Region></Error>`);
        return true;
      },
    });
    using stage = openS3Stage();
    await stage.pull(inputsFor(server));
    expect(stage.files()).toHaveLength(3);
    expect(server.requests).toHaveLength(5);
  });

  it("does not go in circles", async ({ expect }) => {
    let turn = 0;
    await using server = await FakeS3.start({
      fault: (_, response) => {
        turn += 1;
        return sendError(response, 301, "PermanentRedirect", "x", {
          "x-amz-bucket-region": `region-${turn}`,
        });
      },
    });
    using stage = openS3Stage();
    await expect(stage.pull(inputsFor(server))).rejects.toMatchObject({
      message: expect.stringContaining("The bucket is not in the region region-3"),
      hint: expect.stringContaining("region-4"),
    });
    expect(turn).toBe(4);
  });
});

describe("credentials", () => {
  const objects = numbered(1);

  it("sends and hides a session token", async ({ expect }) => {
    await using server = await FakeS3.start({ objects });
    using stage = openS3Stage();
    await stage.pull(inputsFor(server, {}, { ...KEYS, aws_session_token: "canary-token" }));
    for (const { headers } of server.requests) {
      expect(headers["x-amz-security-token"]).toBe("canary-token");
      expect(headers.authorization).toContain(
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token",
      );
    }
    expect(stage.secrets).toEqual(expect.arrayContaining(["canary-secret", "canary-token"]));
    expect(stage.lines.join("\n")).not.toContain("canary");
  });

  it("signs nothing when asked to be anonymous", async ({ expect }) => {
    await using server = await FakeS3.start({ objects });
    using stage = openS3Stage({ AWS_ACCESS_KEY_ID: "A", AWS_SECRET_ACCESS_KEY: "S" });
    await stage.pull(inputsFor(server, { config: { signature_version: "unsigned" } }, {}));
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
  });

  it("uses the variables of the run's environment, not of the worker's", async ({ expect }) => {
    await using server = await FakeS3.start({ objects });
    using stage = openS3Stage({
      AWS_ACCESS_KEY_ID: "FROMENV",
      AWS_SECRET_ACCESS_KEY: "s",
      AWS_SESSION_TOKEN: "t",
      AWS_DEFAULT_REGION: "eu-west-3",
      AWS_ENDPOINT_URL: server.url,
    });
    await stage.pull({ bucket: "bucket", folder: "app" });
    const [first] = server.requests;
    expect(first?.headers.authorization).toMatch(/Credential=FROMENV\/\d{8}\/eu-west-3\/s3\//);
    expect(first?.headers["x-amz-security-token"]).toBe("t");
  });

  it("reads keys, region and endpoint of a named profile, before the environment's keys", async ({
    expect,
  }) => {
    await using server = await FakeS3.start({ objects });
    using stage = openS3Stage({ AWS_ACCESS_KEY_ID: "FROMENV", AWS_SECRET_ACCESS_KEY: "s" });
    writeFileSync(
      join(stage.directory, "config"),
      `[profile team]\nregion = sa-east-1\nservices = mine\n[services mine]\ns3 =\n  endpoint_url = ${server.url}\n`,
    );
    writeFileSync(
      join(stage.directory, "credentials"),
      "[team]\naws_access_key_id = FROMPROFILE\naws_secret_access_key = hidden-one\n",
    );
    stage.env["AWS_CONFIG_FILE"] = join(stage.directory, "config");
    stage.env["AWS_SHARED_CREDENTIALS_FILE"] = join(stage.directory, "credentials");
    await stage.pull({ bucket: "bucket", folder: "app", credentials: { profile_name: "team" } });
    expect(server.requests[0]?.headers.authorization).toMatch(
      /Credential=FROMPROFILE\/\d{8}\/sa-east-1\/s3\//,
    );
    expect(stage.secrets).toContain("hidden-one");
  });

  it("assumes a role, with Prefect's session name, and hides what it gets", async ({ expect }) => {
    await using server = await FakeS3.start({ objects, fault: answerSts });
    using stage = openS3Stage({ AWS_ENDPOINT_URL_STS: server.url });
    await stage.pull(
      inputsFor(
        server,
        {},
        {
          ...KEYS,
          assume_role_arn: "arn:aws:iam::123456789012:role/Flow",
          assume_role_kwargs: {
            ExternalId: "ext",
            DurationSeconds: 900,
            Tags: [{ Key: "k", Value: "v" }],
            Policy: null,
          },
        },
      ),
    );
    const [sts, listing] = server.requests;
    const form = new URLSearchParams(sts?.body);
    expect(form.get("Action")).toBe("AssumeRole");
    expect(form.get("RoleArn")).toBe("arn:aws:iam::123456789012:role/Flow");
    expect(form.get("RoleSessionName")).toMatch(/^prefect-session-[0-9a-f]{8}$/);
    expect([form.get("ExternalId"), form.get("DurationSeconds"), form.get("Tags.member.1.Value")]).toEqual([
      "ext",
      "900",
      "v",
    ]);
    expect(sts?.headers.authorization).toContain("Credential=AKIDTEST/");
    expect(listing?.headers.authorization).toContain("Credential=ASIAROLE/");
    expect(listing?.headers["x-amz-security-token"]).toBe("role-token");
    expect(stage.secrets).toEqual(expect.arrayContaining(["canary-secret", "role-secret", "role-token"]));
  });

  it("says why a role cannot be assumed", async ({ expect }) => {
    await using server = await FakeS3.start({
      fault: ({ method }, response) => {
        if (method !== "POST") return false;
        response
          .writeHead(403, { "content-type": "text/xml" })
          .end(
            '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User X is not authorized</Message></Error></ErrorResponse>',
          );
        return true;
      },
    });
    using stage = openS3Stage({ AWS_ENDPOINT_URL_STS: server.url });
    const credentials = { ...KEYS, assume_role_arn: "arn:aws:iam::123456789012:role/Flow" };
    await expect(stage.pull(inputsFor(server, {}, credentials))).rejects.toMatchObject({
      message: "No AWS credentials could be obtained: AccessDenied: User X is not authorized",
      hint: expect.stringContaining("trust policy"),
    });
  });

  it("trades a web identity for keys", async ({ expect }) => {
    await using server = await FakeS3.start({ objects, fault: answerSts });
    using stage = openS3Stage({
      AWS_ENDPOINT_URL_STS: server.url,
      AWS_ROLE_ARN: "arn:aws:iam::123456789012:role/Pod",
      AWS_ROLE_SESSION_NAME: "pod",
    });
    writeFileSync(join(stage.directory, "token"), "the.web.token");
    stage.env["AWS_WEB_IDENTITY_TOKEN_FILE"] = join(stage.directory, "token");
    await stage.pull(inputsFor(server, {}, {}));
    const [sts, listing] = server.requests;
    const form = new URLSearchParams(sts?.body);
    expect([form.get("Action"), form.get("WebIdentityToken"), form.get("RoleSessionName")]).toEqual([
      "AssumeRoleWithWebIdentity",
      "the.web.token",
      "pod",
    ]);
    expect(listing?.headers.authorization).toContain("Credential=ASIAROLE/");
  });

  it("asks the container's credentials service", async ({ expect }) => {
    await using server = await FakeS3.start({
      objects,
      fault: ({ path, headers }, response) => {
        if (path !== "/creds") return false;
        response.setHeader("content-type", "application/json");
        response.end(
          JSON.stringify({
            AccessKeyId: headers.authorization === "the-token" ? "ASIATASK" : "WRONG",
            SecretAccessKey: "task-secret",
            Token: "task-token",
            Expiration: new Date(Date.now() + 3_600_000).toISOString(),
          }),
        );
        return true;
      },
    });
    using stage = openS3Stage({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${server.url}/creds`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: "the-token",
    });
    await stage.pull(inputsFor(server, {}, {}));
    expect(server.requests.at(-1)?.headers.authorization).toContain("Credential=ASIATASK/");
    expect(stage.secrets).toContain("task-secret");
  });

  it("asks for new keys once when the old ones have ended", async ({ expect }) => {
    let made = 0;
    await using server = await FakeS3.start({
      objects,
      fault: (request, response) => {
        if (request.method === "POST") {
          made += 1;
          return answerSts(request, response);
        }
        return made === 1 && sendError(response, 400, "ExpiredToken", "over");
      },
    });
    using stage = openS3Stage({ AWS_ENDPOINT_URL_STS: server.url });
    await stage.pull(
      inputsFor(server, {}, { ...KEYS, assume_role_arn: "arn:aws:iam::123456789012:role/Flow" }),
    );
    expect(made).toBe(2);
    expect(stage.files()).toEqual(["d0/f0"]);
  });
});

describe("directory buckets", () => {
  it("are read with the keys of a session", async ({ expect }) => {
    await using server = await FakeS3.start({
      fault: ({ path, query }, response) => {
        if (path !== "/mine--use1-az4--x-s3") return false;
        if (query.has("session")) {
          response.end(
            "<CreateSessionResult><Credentials><AccessKeyId>SESSIONKEY</AccessKeyId><SecretAccessKey>session-secret</SecretAccessKey><SessionToken>session-token</SessionToken></Credentials></CreateSessionResult>",
          );
        } else response.end("<ListBucketResult/>");
        return true;
      },
    });
    using stage = openS3Stage();
    const inputs = { ...inputsFor(server), bucket: "mine--use1-az4--x-s3" };
    await expect(stage.pull(inputs)).rejects.toThrow(/nothing to pull/);
    const [session, listing] = server.requests;
    expect(session?.headers.authorization).toMatch(/Credential=AKIDTEST\/\d{8}\/us-east-1\/s3express\//);
    expect(listing?.headers.authorization).toMatch(/Credential=SESSIONKEY\/\d{8}\/us-east-1\/s3express\//);
    expect(listing?.headers["x-amz-s3session-token"]).toBe("session-token");
    expect(stage.secrets).toEqual(expect.arrayContaining(["session-secret", "session-token"]));
  });
});

describe("the way to the service", () => {
  it("goes through the proxy that the run's environment names, but where NO_PROXY excepts it", async ({
    expect,
  }) => {
    await using server = await FakeS3.start({ objects: numbered(5) });
    await using proxy = await startFakeProxy();
    {
      using stage = openS3Stage({ HTTP_PROXY: proxy.url });
      await stage.pull(inputsFor(server));
      expect(stage.files()).toHaveLength(5);
      expect(proxy.requests).toHaveLength(6);
    }
    using stage = openS3Stage({ HTTP_PROXY: proxy.url, NO_PROXY: "example.com,127.0.0.1" });
    await stage.pull(inputsFor(server));
    expect(proxy.requests).toHaveLength(6);
  });

  it.skipIf(!hasOpenssl)(
    "trusts the CA that is given, none other, or any certificate when told so",
    async ({ expect }) => {
      using certificates = makeCertificates();
      await using server = await FakeS3.start({ objects: numbered(2), tls: certificates });
      const attempt = async (parameters: JsonObject, env: Record<string, string> = {}) => {
        using stage = openS3Stage(env);
        await stage.pull(inputsFor(server, parameters));
        return stage.files().length;
      };
      expect(await attempt({ verify_cert_path: certificates.caFile })).toBe(2);
      expect(await attempt({}, { AWS_CA_BUNDLE: certificates.caFile })).toBe(2);
      expect(await attempt({ verify: false })).toBe(2);
      await expect(attempt({})).rejects.toMatchObject({
        message: expect.stringMatching(/certificate of https:\/\/127\.0\.0\.1:\d+ is not trusted/),
        hint: expect.stringContaining("verify_cert_path"),
      });
      await expect(attempt({ verify_cert_path: "/nowhere/ca.pem" })).rejects.toThrow(
        /certificate file \/nowhere\/ca.pem/,
      );
      await using proxy = await startFakeProxy();
      expect(await attempt({ verify: false }, { https_proxy: proxy.url })).toBe(2);
      expect(proxy.requests.every((request) => request.startsWith("CONNECT "))).toBe(true);
      expect(proxy.requests.length).toBeGreaterThan(0);
    },
  );
});

function answerSts(
  { method, body }: { method: string; body: string },
  response: Parameters<typeof sendError>[0],
): boolean {
  if (method !== "POST") return false;
  const action = new URLSearchParams(body).get("Action") ?? "";
  const expiration = new Date(Date.now() + 3_600_000).toISOString();
  response
    .writeHead(200, { "content-type": "text/xml" })
    .end(
      `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result><Credentials>` +
        `<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>role-secret</SecretAccessKey><SessionToken>role-token</SessionToken>` +
        `<Expiration>${expiration}</Expiration></Credentials></${action}Result></${action}Response>`,
    );
  return true;
}
