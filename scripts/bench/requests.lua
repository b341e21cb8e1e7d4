-- For wrk: send the requests of a file, separated by NUL, in turn, and report in one line of JSON.
-- The built-in load generator reads the same file and reports the same line.

local requests, position = {}, 0

function init(arguments)
   local file = assert(io.open(arguments[1], "rb"))
   for text in file:read("*a"):gmatch("[^%z]+") do
      requests[#requests + 1] = text
   end
   file:close()
end

function request()
   position = position % #requests + 1
   return requests[position]
end

function done(summary, latency)
   local errors = summary.errors
   local failed = errors.connect + errors.read + errors.write + errors.timeout + errors.status
   io.write(string.format('{"requests": %d, "errors": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f}\n',
      summary.requests, failed, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
