// The original's design in one process: Express 5, pg, jsonwebtoken, Bull, and the middleware that its README names.

import bcrypt from "bcryptjs";
import Queue from "bull";
import cors from "cors";
import express from "express";
import helmet from "helmet";
import jwt from "jsonwebtoken";
import morgan from "morgan";
import pg from "pg";

// The original's ids are 32 bits wide and therefore numbers.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
const { DATABASE_URL, JWT_SECRET, PORT, REDIS_URL } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 20 });
const emailQueue = new Queue("emails", REDIS_URL, {
  defaultJobOptions: { attempts: 3, backoff: { type: "exponential", delay: 2000 }, removeOnComplete: true },
});

// Models

const User = {
  findByEmail: async (email) => (await pool.query("SELECT * FROM users WHERE email = $1", [email])).rows[0],
};

const Booking = {
  create: async (userId, title, start, end) => {
    const text = "INSERT INTO bookings (user_id, title, start_time, end_time) VALUES ($1, $2, $3, $4) RETURNING *";
    return (await pool.query(text, [userId, title, start, end])).rows[0];
  },
  findAllByUser: async (userId, limit) => {
    const text = "SELECT * FROM bookings WHERE user_id = $1 ORDER BY start_time DESC LIMIT $2";
    return (await pool.query(text, [userId, limit])).rows;
  },
  findById: async (id, userId) =>
    (await pool.query("SELECT * FROM bookings WHERE id = $1 AND user_id = $2", [id, userId])).rows[0],
};

const Notification = {
  create: async (userId, type, title, message, metadata = {}) => {
    const text =
      "INSERT INTO notifications (user_id, type, title, message, metadata) VALUES ($1, $2, $3, $4, $5) RETURNING *";
    return (await pool.query(text, [userId, type, title, message, JSON.stringify(metadata)])).rows[0];
  },
  countUnread: async (userId) => {
    const text = "SELECT COUNT(*) FROM notifications WHERE user_id = $1 AND is_read = false";
    return Number((await pool.query(text, [userId])).rows[0].count);
  },
};

const Analytics = {
  logEvent: async (userId, eventType, metadata) => {
    const text =
      "INSERT INTO analytics_events (user_id, event_type, metadata) VALUES ($1, $2, $3) RETURNING id, event_type";
    return (await pool.query(text, [userId, eventType, JSON.stringify(metadata)])).rows[0];
  },
  getDashboardSummary: async (days) => {
    const text = `
      SELECT event_type, COUNT(*) AS count, COUNT(DISTINCT user_id) AS unique_users,
             MIN(created_at) AS first_event, MAX(created_at) AS last_event
      FROM analytics_events WHERE created_at >= NOW() - $1 * INTERVAL '1 day'
      GROUP BY event_type ORDER BY count DESC`;
    return (await pool.query(text, [days])).rows;
  },
  getQuickStats: async (days) => {
    const text = `
      SELECT COUNT(*) AS total_events, COUNT(DISTINCT user_id) AS unique_users,
             COUNT(DISTINCT event_type) AS event_types
      FROM analytics_events WHERE created_at >= NOW() - $1 * INTERVAL '1 day'`;
    return (await pool.query(text, [days])).rows[0];
  },
};

// Middleware

function authMiddleware(req, res, next) {
  const header = req.headers.authorization;
  if (!header?.startsWith("Bearer ")) return res.status(401).json({ error: "No token provided" });
  try {
    req.user = jwt.verify(header.slice(7), JWT_SECRET);
  } catch {
    return res.status(401).json({ error: "Invalid or expired token" });
  }
  next();
}

function optionalAuth(req, res, next) {
  if (req.headers.authorization) return authMiddleware(req, res, next);
  next();
}

function errorHandler(error, req, res, next) {
  console.error(error.stack);
  res.status(error.status ?? 500).json({ error: error.message });
}

// Routes

const auth = express.Router();
auth.post("/login", async (req, res) => {
  const { email, password } = req.body;
  if (!email || !password) return res.status(400).json({ error: "Email and password are required" });
  const user = await User.findByEmail(email);
  if (!user || !(await bcrypt.compare(password, user.password_hash))) {
    return res.status(401).json({ error: "Invalid credentials" });
  }
  const token = jwt.sign({ id: user.id, email: user.email, role: user.role }, JWT_SECRET, { expiresIn: "7d" });
  res.json({ message: "Login successful", token, user: { id: user.id, name: user.name, email: user.email } });
});

const bookings = express.Router();
bookings.use(authMiddleware);
bookings.post("/", async (req, res) => {
  const { title, start, end } = req.body;
  if (!title || !start || !end) return res.status(400).json({ error: "Title, start and end are required" });
  const [startTime, endTime] = [new Date(start), new Date(end)];
  if (startTime < new Date()) return res.status(400).json({ error: "Start time cannot be in the past" });
  if (endTime <= startTime) return res.status(400).json({ error: "End time must be after start time" });
  const booking = await Booking.create(req.user.id, title, startTime, endTime);
  emailQueue.add({ email: req.user.email, type: "BOOKING_CONFIRMATION", data: booking });
  await Notification.create(
    req.user.id,
    "BOOKING_CONFIRMED",
    "Booking Confirmed",
    `Your booking "${title}" has been confirmed.`,
    { booking_id: booking.id },
  );
  res.status(201).json({ message: "Booking created successfully", booking });
});
bookings.get("/", async (req, res) => {
  res.json(await Booking.findAllByUser(req.user.id, Number(req.query.limit ?? 100)));
});
bookings.get("/:id", async (req, res) => {
  const booking = await Booking.findById(req.params.id, req.user.id);
  if (!booking) return res.status(404).json({ error: "Booking not found" });
  res.json(booking);
});

const notifications = express.Router();
notifications.use(authMiddleware);
notifications.get("/count", async (req, res) => {
  res.json({ unread: await Notification.countUnread(req.user.id) });
});

const analytics = express.Router();
analytics.post("/event", optionalAuth, async (req, res) => {
  const { eventType, metadata } = req.body;
  if (!eventType) return res.status(400).json({ error: "eventType is required" });
  const event = await Analytics.logEvent(req.user?.id ?? null, eventType, metadata ?? {});
  res.status(201).json({ message: "Event logged successfully", event });
});
analytics.get("/dashboard", authMiddleware, async (req, res) => {
  const days = Number.parseInt(req.query.days ?? "30", 10);
  const [breakdown, overview] = await Promise.all([
    Analytics.getDashboardSummary(days),
    Analytics.getQuickStats(days),
  ]);
  res.json({ period: `Last ${days} days`, overview, breakdown });
});

const app = express();
app.use(helmet());
app.use(cors());
app.use(morgan("dev"));
app.use(express.json());
app.get("/health", (req, res) => res.json({ status: "OK" }));
app.use("/api/v1/auth", auth);
app.use("/api/v1/bookings", bookings);
app.use("/api/v1/notifications", notifications);
app.use("/api/v1/analytics", analytics);
app.use(errorHandler);
app.listen(Number(PORT), "127.0.0.1");
