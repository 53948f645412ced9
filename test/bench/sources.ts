import { startGitHttpServer } from "../support/git-http-server.ts";
import { S3Gateway } from "../support/s3-gateway.ts";

/** Where the steps that are measured pull from. */
export interface Sources extends AsyncDisposable {
  readonly s3Step: Readonly<Record<string, unknown>>;
  readonly gitStep: Readonly<Record<string, unknown>>;
}

/** A bucket with so many files of 1 KiB in 20 folders, and a repository with 500 of them. */
export async function openSources({ files }: { readonly files: number }): Promise<Sources> {
  const s3 = await S3Gateway.start();
  try {
    const git = await startGitHttpServer();
    const tree = (count: number) =>
      Object.fromEntries(
        Array.from({ length: count }, (_, at) => [
          `folder-${at % 20}/file-${at}.txt`,
          `${at}\n`.padStart(1024, "x"),
        ]),
      );
    const objects = Object.entries(tree(files)).map(([key, text]) => [`project/${key}`, text]);
    await s3.createBucket("bench", Object.fromEntries(objects));
    const { url } = await git.createRepository("bench", tree(500));
    return {
      s3Step: {
        "prefect_aws.deployments.steps.pull_from_s3": {
          bucket: "bench",
          folder: "project",
          credentials: s3.credentials,
        },
      },
      gitStep: { "prefect.deployments.steps.git_clone": { repository: url } },
      async [Symbol.asyncDispose]() {
        await git[Symbol.asyncDispose]();
        await s3[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await s3[Symbol.asyncDispose]();
    throw error;
  }
}
