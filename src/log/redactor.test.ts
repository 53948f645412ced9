import { describe, it } from "vitest";

import { MASK, Redactor } from "./redactor.ts";

function redactorOf(...secrets: readonly string[]): Redactor {
  const redactor = new Redactor();
  for (const secret of secrets) redactor.add(secret);
  return redactor;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

describe("redact", () => {
  it.for([
    ["plain", "hunter22", "pw=hunter22;", `pw=${MASK};`],
    ["twice", "hunter22", "hunter22hunter22", `${MASK}${MASK}`],
    ["JSON-escaped", 'a"b\\c\nd', JSON.stringify({ p: 'a"b\\c\nd' }), `{"p":"${MASK}"}`],
    ["JSON in JSON", 'a"bcd', JSON.stringify(JSON.stringify('a"bcd')), `"\\"${MASK}\\""`],
    ["json.dumps of non-ASCII", "pässwort", '"p\\u00e4sswort"', `"${MASK}"`],
    ["Python repr", "a\\b\"c'", "'a\\\\b\"c\\''".replace("\\'", "'"), `'${MASK}'`],
    ["URL-encoded", "p@ss/w:rd", "x=p%40ss%2Fw%3Ard&", `x=${MASK}&`],
    ["URL-encoded in lower case", "p@ss/w:rd", "x=p%40ss%2fw%3ard&", `x=${MASK}&`],
    ["form-encoded", "p@ss word", "x=p%40ss+word", `x=${MASK}`],
    ["base64", "hunter22", base64("hunter22"), `${MASK}=`],
    ["with line ends", "hunter22\n", "hunter22 is here", `${MASK} is here`],
  ] as const)("hides a secret: %s", ([, secret, text, expected], { expect }) => {
    expect(redactorOf(secret).redact(text)).toBe(expected);
  });

  it.for([0, 1, 2, 3, 4, 5])(
    "hides a secret inside a longer base64 value, %i bytes in",
    (offset, { expect }) => {
      const secret = "ghp_s3cr3tT0ken";
      const masked = redactorOf(secret).redact(base64(`${"u".repeat(offset)}${secret}:rest`));
      expect(masked).toContain(MASK);
      expect(Buffer.from(masked.replace(MASK, ""), "base64").toString()).not.toContain("s3cr3t");
    },
  );

  it("hides a multi-line secret line by line, but not the marks around it", ({ expect }) => {
    const key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQ\n-----END PRIVATE KEY-----\n";
    const redactor = redactorOf(key);
    expect(redactor.redact("line: kqhkiG9w0BAQ!")).toBe(`line: ${MASK}!`);
    expect(redactor.redact("-----BEGIN PRIVATE KEY-----")).toBe("-----BEGIN PRIVATE KEY-----");
    expect(redactor.redact(`<${key.trim()}>`)).toBe(`<${MASK}>`);
  });

  it("hides overlapping secrets wholly", ({ expect }) => {
    expect(redactorOf("abcdef", "defghi").redact("xabcdefghix")).toBe(`x${MASK}x`);
    expect(redactorOf("abcd", "abcdefgh").redact("abcdefgh abcdef")).toBe(`${MASK} ${MASK}ef`);
  });

  it("leaves short values and white space alone", ({ expect }) => {
    expect(redactorOf("abc", "    ", " ab  ", "").redact("abc     ab  ")).toBe("abc     ab  ");
  });

  it("takes hundreds of secrets and long lines in linear time", ({ expect }) => {
    const redactor = redactorOf(...Array.from({ length: 500 }, (_, n) => `AKIA${n}${"x".repeat(30)}${n}`));
    const short = "AKIA an ordinary line of a log, of usual length ".repeat(200);
    const long = short.repeat(16);
    redactor.redact(long); // warm
    const time = (text: string): number => {
      const start = performance.now();
      for (let round = 0; round < 5; round += 1) redactor.redact(text);
      return performance.now() - start;
    };
    const [one, sixteen] = [time(short), time(long)];
    expect(sixteen / one).toBeLessThan(64);
  });
});

describe("URL user-info", () => {
  it.for([
    ["https://user:pa55@host/repo.git", `https://${MASK}@host/repo.git`],
    ["https://ghp_token@host/repo.git", `https://${MASK}@host/repo.git`],
    ["postgresql+asyncpg://u:p@ss@db:5432/x", `postgresql+asyncpg://${MASK}@db:5432/x`],
    ["postgres://u:pa/ss?x@db/x next", `postgres://${MASK}@db/x next`],
    ["('https://a:b@h', 'http://c:d@i')", `('https://${MASK}@h', 'http://${MASK}@i')`],
    ["ssh://git@host/repo", "ssh://git@host/repo"],
    ["ssh://git:pw@host/repo", `ssh://${MASK}@host/repo`],
    ["https://host:8080/path@v1", "https://host:8080/path@v1"],
    ["http://[::1]:80/a@b", "http://[::1]:80/a@b"],
    ["https://host/a mail@x.org", "https://host/a mail@x.org"],
    ["http://http://u:p@h", `http://http://${MASK}@h`],
  ] as const)("%s", ([text, expected], { expect }) => {
    expect(new Redactor().redact(text)).toBe(expected);
  });
});

describe("addFrom", () => {
  it("takes everything under telling keys, and long texts under others", ({ expect }) => {
    const redactor = new Redactor();
    redactor.addFrom({
      value: "s3c1",
      branch: "main",
      credentials: { nested: ["deep1"], pin: 123456 },
      webhook: "https://hooks.example/T000/B000",
    });
    expect(redactor.redact("s3c1 main deep1 123456 https://hooks.example/T000/B000 end")).toBe(
      `${MASK} main ${MASK} ${MASK} ${MASK} end`,
    );
  });
});

describe("scope", () => {
  it("forgets its secrets when released, except those that others hold", ({ expect }) => {
    const redactor = redactorOf("shared-secret");
    const first = redactor.scope();
    const second = redactor.scope();
    first.add("shared-secret");
    first.add("first-secret");
    first.add("both-secret");
    second.add("both-secret");
    first.release();
    first.release();
    expect(redactor.redact("shared-secret first-secret both-secret")).toBe(`${MASK} first-secret ${MASK}`);
    second.release();
    expect(redactor.redact("shared-secret both-secret")).toBe(`${MASK} both-secret`);
  });
});

describe("createStream", () => {
  const secrets = ["hunter22hunter22", "hunter2", 'q"uote', "line one of key\nline two of key"];
  const text = `a hunter22hunter2 b hunter22hunter22 c https://u:pw@host/x ${JSON.stringify(secrets)} hunter line one of key\nline two of key https://e`;

  it("gives the same as the whole text, wherever it is cut", ({ expect }) => {
    const redactor = redactorOf(...secrets);
    const whole = redactor.redact(text);
    for (let size = 1; size <= text.length; size += 1) {
      const stream = redactor.createStream();
      let streamed = "";
      for (let at = 0; at < text.length; at += size) streamed += stream.write(text.slice(at, at + size));
      streamed += stream.end();
      expect(streamed, `pieces of ${size}`).toBe(whole);
    }
  });

  it("holds back no more than what may be a secret", ({ expect }) => {
    const stream = redactorOf("hunter22").createStream();
    expect(stream.write("plain line\n")).toBe("plain line\n");
    expect(stream.write("go hunt")).toBe("go ");
    expect(stream.write("ing")).toBe("hunting");
    expect(stream.end()).toBe("");
  });
});
