import { coerceError } from "../../errors.ts";
import { StepError } from "../errors.ts";
import { codeOf, OddAnswer, S3Failure } from "./failure.ts";

/** What the errors name. */
export interface Place {
  readonly bucket: string;
  readonly prefix: string;
  /** Origin of the requests. */
  readonly endpoint: string;
  readonly proxy: string | undefined;
  readonly region: string;
  readonly isAnonymous: boolean;
}

interface Words {
  readonly what: string;
  readonly hint: string;
}

/** Puts a failure of a request into words: what happened, where, and what to look at. A StepError stays as it is. */
export function explain(thrown: unknown, place: Place): StepError {
  if (thrown instanceof StepError) return thrown;
  const words = thrown instanceof S3Failure ? answered(thrown, place) : unanswered(thrown, place);
  return new StepError(`${words.what} (${describe(place)})`, { cause: thrown, hint: words.hint });
}

/** Bucket, prefix and endpoint for messages. */
export function describe({ bucket, prefix, endpoint, proxy }: Place): string {
  const through = proxy === undefined ? "" : `, through the proxy ${proxy}`;
  return `bucket '${bucket}', prefix '${prefix}', endpoint ${endpoint}${through}`;
}

function answered(failure: S3Failure, place: Place): Words {
  const subject = failure.key === undefined ? `the bucket '${place.bucket}'` : `the object '${failure.key}'`;
  switch (failure.code) {
    case "AccessDenied":
    case "AllAccessDisabled":
      return {
        what: `Access to ${subject} is denied`,
        hint: place.isAnonymous
          ? "The request was anonymous: give credentials, or make the bucket public."
          : "Allow these credentials s3:ListBucket on the bucket and s3:GetObject on its objects (and kms:Decrypt where they are encrypted by a key).",
      };
    case "NoSuchBucket":
    case "InvalidBucketName":
      return {
        what: `There is no bucket '${place.bucket}'`,
        hint: "Check the bucket's name, the endpoint_url and whose credentials these are.",
      };
    case "InvalidAccessKeyId":
    case "XAdminUserNotFound":
    case "InvalidClientTokenId":
      return {
        what: "The access key is unknown",
        hint: "Check aws_access_key_id (or minio_root_user) in the credentials.",
      };
    case "SignatureDoesNotMatch":
      return {
        what: "The secret key does not belong to the access key",
        hint: "Check aws_secret_access_key (or minio_root_password) in the credentials; a session token needs its own key pair.",
      };
    case "ExpiredToken":
    case "ExpiredTokenException":
    case "TokenRefreshRequired":
    case "InvalidToken":
      return {
        what: `The session token ${failure.code === "InvalidToken" ? "is not valid" : "has expired"}`,
        hint: "Temporary credentials end: renew those in the block, or use assume_role_arn or the worker's own role.",
      };
    case "RequestTimeTooSkewed":
      return { what: "S3 finds the request's time wrong", hint: "Set this machine's clock." };
    case "AuthorizationHeaderMalformed":
    case "PermanentRedirect":
    case "TemporaryRedirect":
    case "IllegalLocationConstraintException":
      return {
        what: `The bucket is not in the region ${place.region}`,
        hint: `Set region_name in the credentials to ${failure.region ?? "the bucket's region"}.`,
      };
    case "NoSuchKey":
      return {
        what: `The object '${failure.key ?? ""}' has gone since the bucket was listed`,
        hint: "Do not change the folder while runs pull it; run again.",
      };
    case "PreconditionFailed":
      return {
        what: `The object '${failure.key ?? ""}' changed while it was pulled`,
        hint: "Do not change the folder while runs pull it; run again.",
      };
    case "InvalidObjectState":
      return {
        what: `The object '${failure.key ?? ""}' is archived`,
        hint: "Restore it from its archive storage class, or move it out of the folder.",
      };
    case "SlowDown":
    case "ServiceUnavailable":
    case "InternalError":
      return {
        what: `S3 goes on refusing requests: ${failure.status} ${failure.code}`,
        hint: "Run again later; max_pool_connections in the block's config lowers the number of parallel requests.",
      };
    default:
      return {
        what: `S3 refused ${subject}: ${[failure.status, failure.code, failure.message].filter((part) => part !== "").join(" ")}`,
        hint:
          failure.code === ""
            ? "This is no answer of S3: check endpoint_url and the proxy."
            : "Look the code up in the documentation of your S3 service.",
      };
  }
}

function unanswered(thrown: unknown, { endpoint, proxy }: Place): Words {
  const error = coerceError(thrown);
  if (error instanceof OddAnswer) {
    return {
      what: error.message,
      hint: "Check that endpoint_url is that of an S3 service, and no console or website.",
    };
  }
  const code = codeOf(error) || codeOf(error.cause);
  const check = "Check endpoint_url, and that the worker's machine reaches it.";
  switch (code) {
    case "ECONNREFUSED":
      return { what: `The connection to ${proxy ?? endpoint} was refused`, hint: check };
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return {
        what: `The host name of ${proxy ?? endpoint} cannot be resolved`,
        hint: `${check} A service of your own may need addressing_style: path.`,
      };
    case "UND_ERR_CONNECT_TIMEOUT":
    case "UND_ERR_HEADERS_TIMEOUT":
    case "UND_ERR_BODY_TIMEOUT":
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return { what: `${endpoint} does not answer (${code})`, hint: check };
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return {
        what: `The certificate of ${endpoint} is for another host`,
        hint: "Use a host name that the certificate names; addressing_style: path keeps the bucket out of it.",
      };
    case "CERT_HAS_EXPIRED":
      return {
        what: `The certificate of ${endpoint} has expired`,
        hint: "Renew it, or set this machine's clock.",
      };
    default:
  }
  if (/^(?:CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED)/.test(code)) {
    return {
      what: `The certificate of ${endpoint} is not trusted (${code})`,
      hint: "Set verify_cert_path in the block's aws_client_parameters to the CA's file (or verify: false for a test).",
    };
  }
  if (/^(?:ERR_SSL_|EPROTO)/.test(code)) {
    return {
      what: `${endpoint} speaks no TLS (${code})`,
      hint: "Write http:// in endpoint_url if it has none.",
    };
  }
  if (/Proxy response|\(407\)/.test(error.message)) {
    return {
      what: `The proxy ${proxy ?? ""} refused the connection: ${error.message}`,
      hint: "Check HTTPS_PROXY, its user and password, or name the host in NO_PROXY.",
    };
  }
  const text = code === "" || error.message.includes(code) ? error.message : `${error.message} (${code})`;
  return { what: `The exchange with ${endpoint} failed: ${text}`, hint: check };
}
