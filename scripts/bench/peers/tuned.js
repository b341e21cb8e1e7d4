// The same service as an expert would tune it: two processes, prepared statements, one statement per write, verified
// tokens remembered, no middleware that a client would not miss.

import cluster from "node:cluster";
import bcrypt from "bcrypt";
import Queue from "bull";
import express from "express";
import { createSigner, createVerifier } from "fast-jwt";
import pg from "pg";

pg.types.setTypeParser(pg.types.builtins.INT8, Number);
const { DATABASE_URL, JWT_SECRET, PORT, REDIS_URL } = process.env;
const PROCESSES = 2;

const HEADERS = {
  "Content-Security-Policy": "default-src 'none'",
  "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Access-Control-Allow-Origin": "*",
};

const COLUMNS = "id, user_id, title, start_time, end_time, status, created_at, updated_at";

// Named: each connection prepares them once. PostgreSQL writes the JSON where the rows are the answer.
const LIST = {
  name: "list",
  text: `SELECT coalesce(json_agg(page), '[]')::text AS body FROM (
           SELECT ${COLUMNS} FROM bookings WHERE user_id = $1 ORDER BY start_time DESC, id DESC LIMIT $2) AS page`,
};
const READ = {
  name: "read",
  text: `SELECT row_to_json(found)::text AS body
         FROM (SELECT ${COLUMNS} FROM bookings WHERE id = $1 AND user_id = $2) AS found`,
};
const BOOK = {
  name: "book",
  text: `WITH booking AS (
           INSERT INTO bookings (user_id, title, start_time, end_time) VALUES ($1, $2, $3, $4) RETURNING ${COLUMNS}
         ), notification AS (
           INSERT INTO notifications (user_id, type, title, message, metadata)
           SELECT user_id, 'BOOKING_CONFIRMED', 'Booking Confirmed',
                  'Your booking "' || title || '" has been confirmed.', jsonb_build_object('booking_id', id)
           FROM booking
         )
         SELECT row_to_json(booking)::text AS body FROM booking`,
};
const COUNT = {
  name: "count",
  text: "SELECT count(*)::int AS unread FROM notifications WHERE user_id = $1 AND NOT is_read",
};
const LOG = {
  name: "log",
  text: "INSERT INTO analytics_events (user_id, event_type, metadata) VALUES ($1, $2, $3) RETURNING id, event_type",
};
// One pass instead of two.
const DASHBOARD = {
  name: "dashboard",
  text: `SELECT event_type, count(*)::int AS count, count(DISTINCT user_id)::int AS unique_users,
                min(created_at) AS first_event, max(created_at) AS last_event
         FROM analytics_events WHERE created_at >= now() - make_interval(days => $1)
         GROUP BY GROUPING SETS ((event_type), ()) ORDER BY grouping(event_type) DESC, count DESC`,
};
const FIND_USER = {
  name: "find_user",
  text: "SELECT id, name, email, role, password_hash FROM users WHERE email = $1",
};

function serve() {
  const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10, min: 10, idleTimeoutMillis: 0 });
  const emailQueue = new Queue("emails", REDIS_URL, {
    defaultJobOptions: { attempts: 3, backoff: { type: "exponential", delay: 2000 }, removeOnComplete: true },
  });
  const verify = createVerifier({ key: JWT_SECRET, algorithms: ["HS256"], cache: 10_000 });
  const sign = createSigner({ key: JWT_SECRET, expiresIn: "7d" });

  const ask = async (statement, values) => (await pool.query({ ...statement, values })).rows;
  const sendJson = (res, status, body) =>
    res.writeHead(status, {
      ...HEADERS,
      "Content-Type": "application/json; charset=utf-8",
      "Content-Length": Buffer.byteLength(body),
    }).end(body);

  function authenticated(req, res, next) {
    try {
      req.user = verify(req.headers.authorization.slice(7));
    } catch {
      return sendJson(res, 401, '{"error":"Invalid or missing token"}');
    }
    next();
  }

  const knownIfToken = (req, res, next) => (req.headers.authorization ? authenticated(req, res, next) : next());

  const json = express.json();
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");

  app.get("/health", (req, res) => sendJson(res, 200, '{"status":"OK"}'));
  app.post("/api/v1/bookings", authenticated, json, async (req, res) => {
    const { title, start, end } = req.body;
    const [starts, ends] = [Date.parse(start), Date.parse(end)];
    if (!title || !(starts > Date.now()) || !(ends > starts)) {
      return sendJson(res, 400, '{"error":"Title, start and end are required, in the future and in order"}');
    }
    const [{ body }] = await ask(BOOK, [req.user.id, title, start, end]);
    const data = { title, start_time: start, end_time: end };
    emailQueue.add({ email: req.user.email, type: "BOOKING_CONFIRMATION", data });
    sendJson(res, 201, `{"message":"Booking created successfully","booking":${body}}`);
  });
  app.get("/api/v1/bookings", authenticated, async (req, res) => {
    const [{ body }] = await ask(LIST, [req.user.id, Number(req.query.limit ?? 100)]);
    sendJson(res, 200, body);
  });
  app.get("/api/v1/bookings/:id", authenticated, async (req, res) => {
    const [found] = await ask(READ, [req.params.id, req.user.id]);
    sendJson(res, found ? 200 : 404, found ? found.body : '{"error":"Booking not found"}');
  });
  app.get("/api/v1/notifications/count", authenticated, async (req, res) => {
    const [{ unread }] = await ask(COUNT, [req.user.id]);
    sendJson(res, 200, `{"unread":${unread}}`);
  });
  app.post("/api/v1/analytics/event", knownIfToken, json, async (req, res) => {
    const { eventType, metadata = {} } = req.body;
    if (!eventType) return sendJson(res, 400, '{"error":"eventType is required"}');
    const [event] = await ask(LOG, [req.user?.id ?? null, eventType, metadata]);
    sendJson(res, 201, JSON.stringify({ message: "Event logged successfully", event }));
  });
  app.get("/api/v1/analytics/dashboard", authenticated, async (req, res) => {
    const days = Number.parseInt(req.query.days ?? "30", 10);
    const [total, ...breakdown] = await ask(DASHBOARD, [days]);
    const overview = {
      total_events: total.count,
      unique_users: total.unique_users,
      event_types: breakdown.length,
    };
    sendJson(res, 200, JSON.stringify({ period: `Last ${days} days`, overview, breakdown }));
  });
  app.post("/api/v1/auth/login", json, async (req, res) => {
    const { email, password } = req.body;
    const [user] = await ask(FIND_USER, [email]);
    if (!user || !(await bcrypt.compare(password, user.password_hash))) {
      return sendJson(res, 401, '{"error":"Invalid credentials"}');
    }
    const { password_hash: _, ...profile } = user;
    const token = sign({ id: user.id, email: user.email, role: user.role });
    sendJson(res, 200, JSON.stringify({ message: "Login successful", token, user: profile }));
  });
  app.use((error, req, res, next) => {
    console.error(error);
    sendJson(res, error.status ?? 500, '{"error":"The request failed"}');
  });
  app.listen(Number(PORT), "127.0.0.1");
}

if (cluster.isPrimary) {
  for (let started = 0; started < PROCESSES; started += 1) cluster.fork();
} else {
  serve();
}
