-- Append an update, and publish it on the channel of its client in the same step. KEYS[4] has the counts of the
-- client's subscribers, KEYS[5], if the update has one, is its idempotency key. ARGV[2] is the payload, ARGV[3] the
-- digest of the update.
--
-- Returns 'conflict', or 'kept' or 'duplicate' with epoch, seq, timestamp, the number of subscribers, and the process
-- and the number of the latest update.

local payload, digest = ARGV[2], ARGV[3]
local counts, key = KEYS[4], KEYS[5]

local function count_subscribers(receivers)
    if receivers == 0 then
        return 0
    end
    return math.max((counts_of(counts, args.lease_prefix)), receivers)
end

if key then
    local earlier = redis.call('HMGET', key, 'digest', 'since', 'epoch', 'seq', 'timestamp')
    if earlier[1] and tonumber(earlier[2]) > now - args.key_seconds then
        if earlier[1] ~= digest then
            return {'conflict'}
        end
        local receivers = redis.call('PUBSUB', 'NUMSUB', args.channel)[2]
        return {'duplicate', earlier[3], earlier[4], earlier[5], count_subscribers(receivers), run, last_number()}
    end
end

seq = seq + 1
local number = redis.call('HINCRBY', log, 'appended', 1)
local bytes = args.overhead_bytes + #payload + args.client_id_copies * #client_id
redis.call('HSET', log, 'client:' .. client_id, seq .. ' ' .. epoch)
redis.call('RPUSH', updates, number .. ' ' .. bytes .. ' ' .. now_text .. ' ' .. payload)
redis.call('EXPIRE', updates, args.updates_seconds)
redis.call('ZADD', order, number, number .. ' ' .. bytes .. ' ' .. now_text .. ' ' .. name)
redis.call('ZADD', clients, number, client_id)
redis.call('HINCRBY', log, 'bytes', bytes)
if key then
    redis.call(
        'HSET', key, 'digest', digest, 'since', now_text, 'epoch', epoch, 'seq', seq, 'timestamp', args.timestamp
    )
    redis.call('EXPIRE', key, args.key_seconds)
end

if redis.call('ZCARD', clients) > args.max_clients then
    local evicted = redis.call('ZPOPMIN', clients)[1]
    local its_epoch = string.match(redis.call('HGET', log, 'client:' .. evicted), '^%d+ (.*)$')
    redis.call('UNLINK', args.updates_prefix .. its_epoch .. ':' .. evicted)
    redis.call('HDEL', log, 'client:' .. evicted)
    redis.call('HSET', log, 'epoch', args.fresh_epoch)
end

while redis.call('LLEN', updates) > args.max_updates do
    evict_oldest(name)
end
evict_expired()
for _ = 1, args.max_evictions do
    local first = redis.call('ZRANGE', order, 0, 0)[1]
    if not first then
        redis.call('HSET', log, 'bytes', 0)
        break
    end
    local its_number, its_bytes, since, its_name = string.match(first, '^(%d+) (%d+) (%S+) (.*)$')
    if tonumber(redis.call('HGET', log, 'bytes')) <= args.max_bytes and not is_expired(since) then
        break
    end
    local head = redis.call('LINDEX', args.updates_prefix .. its_name, 0)
    if head and string.match(head, '^%d+') == its_number then
        evict_oldest(its_name)
    else
        redis.call('ZREM', order, first)
        redis.call('HINCRBY', log, 'bytes', -its_bytes)
    end
end

local position = seq .. ' ' .. number .. ' ' .. run .. ' ' .. epoch
local receivers = redis.call('PUBLISH', args.channel, position .. '\n' .. payload)
return {'kept', epoch, seq, args.timestamp, count_subscribers(receivers), run, number}
