// The second process of the original's design: takes one job after the other from Bull.

import Queue from "bull";
import { deliver } from "./templates.js";

new Queue("emails", process.env.REDIS_URL).process(deliver);
