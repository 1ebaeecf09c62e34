-- Record that a node lives, in the sorted set KEYS[1] of nodes by the time of their latest heartbeat, and forget those
-- without one for `forget_seconds`.

local args = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000

redis.call('ZADD', KEYS[1], now, args.node)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - args.forget_seconds)
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -args.most_nodes - 1)
redis.call('EXPIRE', KEYS[1], args.forget_seconds)
