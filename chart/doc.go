// Package chart draws lines, bands and points over two axes as inline SVG, for
// pages that need no script and no other file. Colours are the page's: classes,
// with CSS variables and fallbacks behind them.
package chart
