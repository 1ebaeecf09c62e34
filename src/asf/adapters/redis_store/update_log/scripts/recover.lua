-- Read the updates of a client after a position: `since_epoch` and `since_seq`; all that are kept with `everything`;
-- none without either. The same step stores a server's count of subscribers in KEYS[4].
--
-- Returns epoch and seq of the latest update, whether the updates after the position are all there, these, and the
-- process and the number of the latest update of all clients.

if args.count ~= 0 then
    set_count(KEYS[4], args.counts_seconds, args.server, args.version, args.count)
end

evict_expired()
local oldest = seq - redis.call('LLEN', updates)  -- the position before the oldest that is kept
local from = nil
if args.everything then
    from = oldest
elseif args.since_epoch == epoch then
    from = args.since_seq
end
if not from or from < oldest or from > seq then
    return {epoch, seq, 0, {}, run, last_number()}
end
return {epoch, seq, 1, redis.call('LRANGE', updates, from - oldest, -1), run, last_number()}
