CREATE TABLE `owed_text` (
	`id` text PRIMARY KEY NOT NULL,
	`body` blob NOT NULL
);
--> statement-breakpoint
INSERT INTO `owed_text` (`id`, `body`) SELECT `id`, `body` FROM `owed` WHERE `body` IS NOT NULL ORDER BY `seq`;--> statement-breakpoint
ALTER TABLE `owed` DROP COLUMN `body`;