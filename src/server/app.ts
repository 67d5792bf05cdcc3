// HTTP in front of a reward model. This file is what every route shares; routes/ holds one file per route.
//
// A route is a function that adds itself: `addScoreRoute(app)` calls `app.post({ path, summary, body, answers }, handler)`. The
// framework then reads the body (JSON, UTF-8, within the limits), checks it against the zod schema `body`, and calls the handler
// with it. What the handler returns is sent as JSON with status 200, numbers and arrays too; a `Response` is sent as it is. What it
// throws becomes one line `{"error":{code,message,remedy}}`: `HttpError` with its status, `InputError` mostly with 422, all else with 500 and
// nothing of its text. Keys, request ids, logs, metrics, 404 and 405, and /openapi.json need nothing from a route.
//
// To add one: a file in routes/ with its schemas (shared ones are in schemas.ts), a line in ROUTES below, a test against a
// listening server. Schemas of requests are strict (`z.strictObject`) where the format is ours, so that nothing is dropped silently, and loose where
// others have defined it. Conversations are `z.unknown()` with `.meta()` for the documentation: `readConversation` checks them,
// with the words that the rest of the library has for it, and each by itself.
//
// `app.service.score(conversations, { signal: call.signal, … })` gives a `Score` or an `InputError` per conversation; whether one bad
// item fails the request (throw it) or stands in its place (`toErrorBody`) is the route's format to say.

import { Hono } from "hono";
import { pino } from "pino";
import type { z } from "zod";
import { type Access, OPEN_ACCESS } from "./access.ts";
import { readBody } from "./body.ts";
import { answerJson, startCall } from "./call.ts";
import { HttpError } from "./errors.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { createMetrics, type ServerMetrics } from "./metrics.ts";
import { addClassifyRoute } from "./routes/classify.ts";
import { addCompareRoute } from "./routes/compare.ts";
import { addGetRewardRoute } from "./routes/get-reward.ts";
import { addHealthRoutes } from "./routes/health.ts";
import { addMetricsRoute } from "./routes/metrics.ts";
import { addModelRoute } from "./routes/model.ts";
import { addOpenApiRoute } from "./routes/openapi.ts";
import { addPageRoutes } from "./routes/page.ts";
import { addRerankRoutes } from "./routes/rerank.ts";
import { addScoreRoute } from "./routes/score.ts";
import { addScoreEvaluationRoute } from "./routes/score-evaluation.ts";
import { addSlimeRoutes } from "./routes/slime.ts";
import { addVerifyRoute } from "./routes/verify.ts";
import type { ScoringService } from "./service.ts";

const ROUTES: readonly ((app: ServerApp) => void)[] = [
  addScoreRoute,
  addCompareRoute,
  addGetRewardRoute,
  addScoreEvaluationRoute,
  addSlimeRoutes,
  addVerifyRoute,
  addClassifyRoute,
  addRerankRoutes,
  addModelRoute,
  addHealthRoutes,
  addMetricsRoute,
  addOpenApiRoute,
  addPageRoutes,
];

export interface AppOptions {
  readonly limits?: Limits;
  /** Who may call. Default: everybody. */
  readonly access?: Access;
  /** Where a line per request goes. Default: nowhere. */
  readonly log?: Logger;
  readonly metrics?: ServerMetrics;
  /** Whether the log gets what clients send, messages included. Default false. */
  readonly logMessages?: boolean;
}

/** The log that routes write to; a pino logger is one. */
export type Logger = Pick<import("pino").Logger, "info" | "warn" | "error">;

/** What a handler knows of its request. */
export interface Call {
  /** Aborts when the client goes away, with a `ClientGone`. */
  readonly signal: AbortSignal;
  readonly requestId: string;
  /** Adds to the line that the log gets of this request. No texts of messages. */
  note(fields: Readonly<Record<string, unknown>>): void;
}

/** What a route says of itself, for `/openapi.json`. */
export interface RouteDescription {
  readonly path: `/${string}`;
  readonly summary: string;
  readonly description?: string;
  /** Answered without a key too. Default false. */
  readonly open?: boolean;
  /** Schema of the answer; a media type where it is not JSON. */
  readonly answers: z.ZodType | string;
}

export interface BodyRouteDescription<Body extends z.ZodType> extends RouteDescription {
  readonly body: Body;
}

/** A route as it is documented. */
export interface AddedRoute extends RouteDescription {
  readonly method: "GET" | "POST";
  readonly body?: z.ZodType;
}

/** What a handler may return: anything that JSON can hold, or a finished response. */
type Answer = unknown | Promise<unknown>;

export interface ServerApp {
  readonly service: ScoringService;
  readonly limits: Limits;
  readonly metrics: ServerMetrics;
  /** All that were added so far, in order. */
  readonly routes: readonly AddedRoute[];
  get(route: RouteDescription, handler: (call: Call) => Answer): void;
  post<Body extends z.ZodType>(
    route: BodyRouteDescription<Body>,
    handler: (body: z.output<Body>, call: Call) => Answer,
  ): void;
}

/**
 * The routes of a reward model's server, over any service that scores: `fetch` takes a `Request` and gives a `Response`. Nothing
 * listens yet; `serve` does that.
 */
export function createApp(
  service: ScoringService,
  options: AppOptions = {},
): Pick<Hono, "fetch" | "request"> {
  const {
    limits = DEFAULT_LIMITS,
    access = OPEN_ACCESS,
    metrics = createMetrics(),
    logMessages = false,
  } = options;
  const log = options.log ?? pino({ level: "silent" });
  const hono = new Hono();
  const routes: AddedRoute[] = [];

  const add = (route: AddedRoute, answer: (request: Request, call: Call) => Answer) => {
    routes.push(route);
    hono.on(route.method, route.path, (context) =>
      startCall(context.req.raw, route.path, { log, metrics }, async (call) => {
        access.check(context.req.raw, route.open ?? false);
        const value = await answer(context.req.raw, call);
        return value instanceof Response ? value : answerJson(value);
      }),
    );
  };
  const app: ServerApp = {
    service,
    limits,
    metrics,
    routes,
    get: (route, handler) => add({ ...route, method: "GET" }, (_, call) => handler(call)),
    post: (route, handler) =>
      add({ ...route, method: "POST" }, async (request, call) => {
        const body = await readBody(request, route.body, limits);
        if (logMessages) call.note({ body });
        return handler(body, call);
      }),
  };
  for (const addRoute of ROUTES) addRoute(app);

  hono.notFound((context) =>
    startCall(context.req.raw, "unknown", { log, metrics }, () => {
      access.check(context.req.raw, false);
      throw unknownRoute(context.req.method, context.req.path, routes);
    }),
  );
  return hono;
}

/** 404, or 405 with the methods that the path has. */
function unknownRoute(method: string, path: string, routes: readonly AddedRoute[]): HttpError {
  const methods = routes.filter((route) => route.path === path).map((route) => route.method as string);
  if (methods.length === 0) {
    const known = routes.map((route) => route.path).join(", ");
    return new HttpError(
      404,
      "unknown-route",
      `path: expected one of ${known}; got another`,
      "see /openapi.json",
    );
  }
  if (methods.includes("GET")) methods.push("HEAD");
  const allow = methods.join(", ");
  return new HttpError(
    405,
    "unknown-method",
    `${path}: expected ${allow}, got ${method}`,
    `send ${methods[0]}`,
    {
      allow,
    },
  );
}
