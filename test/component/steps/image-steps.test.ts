import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, onTestFinished } from "vitest";

import {
  bridgeCommand,
  ImageBridge,
  noteCancellation,
  prepareBridge,
} from "../../../src/steps/image-bridge.ts";
import { ImageSteps } from "../../../src/steps/image-steps.ts";
import { until } from "../../support/deadline.ts";
import { openStage } from "../../support/pull-stage.ts";
import { TestProcess } from "../../support/test-process.ts";

import type { Json } from "../../../src/json/value.ts";
import type { PulledCode } from "../../../src/steps/pull-stage.ts";

const CHDIR = "prefect.deployments.steps.set_working_directory";
const GIT = "prefect.deployments.steps.git_clone";

function read(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** A stand-in for a container: a process of this machine that starts in a directory of its own, "the image". */
async function openImage() {
  const stage = openStage();
  onTestFinished(() => stage.remove());
  const root = realpathSync(mkdtempSync(join(tmpdir(), "lighterman-image-")));
  const control = join(root, "steps");
  const image = join(root, "image");
  const there = join(root, "workspace");
  mkdirSync(image);
  symlinkSync(stage.cwd, there);
  const listener = await prepareBridge(control);
  let container: TestProcess | undefined;
  let bridge: Promise<ImageBridge> | undefined;
  function open(): Promise<ImageBridge> {
    const [program, ...args] = bridgeCommand({ steps: control, workspace: there });
    container ??= new TestProcess(program, args, {
      name: "container",
      cwd: image,
      env: { PATH: process.env["PATH"] ?? "", OF_IMAGE: "yes" },
    });
    const ended = container.ended.then(({ code }) => `status ${code}`);
    bridge ??= ImageBridge.connect({
      listener,
      workspace: { here: stage.cwd, there },
      signal: stage.signal,
      ended,
    });
    return bridge;
  }
  const steps = new ImageSteps({
    workspace: stage.cwd,
    open,
    share: () => Promise.resolve(),
    log: stage.log,
  });
  onTestFinished(async () => {
    steps.close();
    listener.close();
    await container?.[Symbol.asyncDispose]();
  });
  return {
    stage,
    steps,
    image,
    there,
    control,
    listener,
    write: (name: string, text: string) => writeFileSync(join(image, name), text),
    run: (list: Json): Promise<PulledCode> => stage.run(list, { image: steps }),
    container: () => container,
  };
}

const SHOW =
  "import os\nopen('seen', 'w').write('\\n'.join([os.getcwd(), os.environ['WORD'], os.environ['OF_IMAGE'], os.environ['PYTHONPATH'], os.environ['PREFECT__FLOW_ENTRYPOINT']]))\n";

/** What Prefect's engine does with its control channel. */
const ENGINE = `
import os, signal, socket, sys, threading
def write(line):
    with open("seen", "a") as file:
        file.write(line + "\\n")
def end(*_):
    write("SIGTERM")
    os._exit(7)
signal.signal(signal.SIGTERM, end)
channel = socket.create_connection(("127.0.0.1", int(os.environ["PREFECT__CONTROL_PORT"])))
channel.sendall(os.environ["PREFECT__CONTROL_TOKEN"].encode() + b"\\n\\0PF\\2\\1")
def obey():
    write("told " + channel.recv(1).decode())
    channel.sendall(b"a")
threading.Thread(target=obey, daemon=True).start()
write("ready")
while True:
    signal.pause()
`;

describe("steps in a container", () => {
  it("run in order with their outputs, change directory and environment, and hand over to the program", async ({
    expect,
  }) => {
    const { steps, image, run, write, container, stage } = await openImage();
    write(
      "mine.py",
      "import os\ndef word(text):\n    os.environ['WORD'] = text\n    return {'word': text + '!', 'cwd': os.getcwd()}\n",
    );
    write("flow.py", "");
    write("show.py", SHOW);
    const pulled = await run([
      { [CHDIR]: { directory: "." } },
      { "mine.word": { id: "first", text: "hello" } },
      { "mine.word": { text: "{{ first.word }}" } },
    ]);
    expect(pulled.directory).toBe(image);
    expect(pulled.outputs).toMatchObject({ first: { word: "hello!" }, word: "hello!!", cwd: image });
    await steps.become(pulled, "flow.py:flow", ["python3", "show.py"]);
    expect(await container()?.end()).toMatchObject({ code: 0 });
    expect(readFileSync(join(image, "seen"), "utf8").split("\n")).toEqual([
      image,
      "hello!",
      "yes",
      image,
      "flow.py:flow",
    ]);
    expect(stage.events.map(({ status }) => status)).toEqual(["executed", "executed", "executed"]);
  });

  it("starts no container for steps that the worker does itself", async ({ expect }) => {
    const { run, stage, container } = await openImage();
    mkdirSync(join(stage.cwd, "code"));
    const pulled = await run([{ [CHDIR]: { directory: join(stage.cwd, "code") } }]);
    expect(pulled.directory).toBe(join(stage.cwd, "code"));
    expect(container()).toBeUndefined();
  });

  it.for<[name: string, steps: Json, message: RegExp]>([
    [
      "a directory that is not there",
      [{ [CHDIR]: { directory: "/no/such" } }],
      /^Pull step 1 of 1 .*failed: There is no directory \/no\/such in the container$/,
    ],
    [
      "an error of the step's own",
      [{ "os.listdir": { path: "/no/such" } }],
      /FileNotFoundError: .*\/no\/such/,
    ],
    [
      "code that would go into the image",
      [{ [CHDIR]: { directory: "/" } }, { [GIT]: { repository: "x" } }],
      /failed: It would put its files into \/, which is in the image/,
    ],
    [
      "an environment of the worker's",
      [{ "lighterman.steps.python_environment": {} }],
      /which a container cannot use/,
    ],
    [
      "a step that ends the process",
      [{ "os._exit": { status: 3 } }],
      /The container ended before the flow was started: status 3/,
    ],
  ])("name the step that fails: %s", async ([, list, message], { expect }) => {
    const { run } = await openImage();
    await expect(run(list)).rejects.toThrow(message);
  });

  it.for([true, false])(
    "tell the engine why it is ended (cancelled: %s)",
    async (isCancelled, { expect }) => {
      const { run, steps, image, control, write, container } = await openImage();
      write("flow.py", "");
      write("engine.py", ENGINE);
      const pulled = await run([{ [CHDIR]: { directory: "." } }]);
      await steps.become(pulled, "flow.py:flow", ["python3", "engine.py"], true);
      const seen = (): string[] => read(join(image, "seen")).split("\n");
      await until("the engine runs", () => seen().includes("ready"));
      if (isCancelled) await noteCancellation(control);
      container()?.signal("SIGTERM");
      expect(await container()?.end()).toMatchObject({ code: 7 });
      expect(seen()).toEqual(["ready", ...(isCancelled ? ["told c"] : []), "SIGTERM", ""]);
    },
  );

  it("say what is missing before the engine is started", async ({ expect }) => {
    const { run, steps, image, write } = await openImage();
    write("other.py", "");
    const pulled = await run([{ [CHDIR]: { directory: "." } }]);
    await expect(steps.become(pulled, "flow.py:flow", null)).rejects.toThrow(
      `The entrypoint flow.py:flow was not found: there is no file ${image}/flow.py in the container; the directory ${image} holds: other.py`,
    );
    await expect(steps.become(pulled, "other.py:flow", ["no-such-program"])).rejects.toThrow(
      "There is no program no-such-program in the image",
    );
  });

  it("end with the status of a lost worker when the worker is gone", async ({ expect }) => {
    const { run, steps, container } = await openImage();
    await run([{ [CHDIR]: { directory: "." } }]);
    steps.close();
    expect(await container()?.end()).toMatchObject({ code: 75 });
  });

  it("end at once when the worker went before they could call it", async ({ expect }) => {
    const { run, listener } = await openImage();
    listener.close();
    await expect(run([{ [CHDIR]: { directory: "." } }])).rejects.toThrow(
      /The container ended before the flow was started: status 75/,
    );
  });

  it("leave nothing beside the code", async ({ expect }) => {
    const { run, stage, control } = await openImage();
    const before = readdirSync(stage.cwd);
    await run([{ [CHDIR]: { directory: "." } }]);
    expect(readdirSync(stage.cwd)).toEqual(before);
    expect(readdirSync(control).filter((name) => name.endsWith(".sock"))).toEqual([]);
  });

  it("end at once when the run is stopped", async ({ expect }) => {
    const { run, stage, write } = await openImage();
    write("nap.py", "import time\ndef nap():\n    open('begun', 'w').close()\n    time.sleep(600)\n");
    const running = run([{ "nap.nap": {} }]);
    running.catch(() => undefined); // looked at below
    await until("the step has begun", () => existsSync(join(stage.cwd, "begun")));
    stage.abort.abort(new Error("stopped"));
    await expect(running).rejects.toThrow("stopped");
  });
});
