// The worker of the tuned peer: many jobs at a time.

import Queue from "bull";
import { deliver } from "./templates.js";

new Queue("emails", process.env.REDIS_URL).process(50, deliver);
