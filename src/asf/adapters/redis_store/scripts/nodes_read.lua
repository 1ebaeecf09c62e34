-- Return the nodes in the sorted set KEYS[1], each followed by the seconds since its latest heartbeat, as text.

local args = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000

local found = redis.call('ZRANGEBYSCORE', KEYS[1], now - args.forget_seconds, '+inf', 'WITHSCORES')
for index = 2, #found, 2 do
    found[index] = tostring(now - tonumber(found[index]))
end
return found
